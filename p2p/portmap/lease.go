package portmap

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

var (
	errNothing  = errors.New("nothing is listened on where the router passes connections on to")
	errNonsense = errors.New("the router's answer makes no sense")
)

// mapAll makes or renews the mappings of all ports. A port that the gateway refuses
// is tried again at the next renewal. The error is that of the last when none is
// mapped.
func (m *Mapper) mapAll(ctx context.Context) error {
	err, mapped, soonest := errNothing, false, lease
	for _, in := range m.ports {
		if !in.reachedAt(m.gateway.Local()) {
			continue
		}
		if failed := m.mapOne(ctx, in); failed != nil {
			err = failed
			continue
		}
		mapped = true
		if in.mapping.Lease != 0 {
			soonest = min(soonest, in.mapping.Lease)
		}
	}
	m.renewal = time.Now().Add(max(soonest/2, leastRenewal))
	if mapped {
		return nil
	}
	return err
}

func (m *Mapper) mapOne(ctx context.Context, in *inbound) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	asking, cancel := graced(ctx)
	defer cancel()
	got, err := m.gateway.Map(asking, in.Port, in.wish(), lease)
	if err == nil && (got.Port != in.Port || got.External == 0 || got.Lease < 0) {
		err = errNonsense
	}
	in.held = err == nil
	port, router := zap.Uint16("port", in.Number), zap.Stringer("router", m.gateway)
	switch {
	case err != nil && ctx.Err() == nil:
		m.once(zap.WarnLevel, "The router did not map a port", port, router, zap.Error(err))
	case err == nil:
		in.mapping, in.made = got, true
		if got.Lease == 0 {
			m.once(zap.InfoLevel, "The router keeps no leases: a port stays mapped until this node stops, or for good if it is killed", port, router)
		}
	}
	return err
}

// graced returns the context of a request that makes something. It goes on for a
// moment when ctx ends, so that what is made is known and can be removed.
func graced(ctx context.Context) (context.Context, context.CancelFunc) {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(graceTime, cancel) })
	return asking, func() { stop(); cancel() }
}

// release removes what is mapped, also when ctx has ended, as long as the gateway
// answers.
func (m *Mapper) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	for _, in := range m.ports {
		if !in.made {
			continue
		}
		if err := m.gateway.Unmap(ctx, in.mapping); err != nil {
			m.log.Warn("A port may stay mapped, until its lease ends", zap.Uint16("port", in.mapping.External), zap.Stringer("router", m.gateway), zap.Error(err))
			continue
		}
		in.made = false
	}
}
