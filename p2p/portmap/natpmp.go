package portmap

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
)

// pmp is a gateway that speaks NAT-PMP.
type pmp struct {
	gateway, local netip.Addr

	// The gateway counts seconds since it began to map.
	count     uint32
	counted   time.Time // when it said so; zero: it has not yet
	restarted bool      // and has mapped nothing since, as far as we know
}

// sliceTime is how long one call of the library may take. It knows no context, so a
// longer wait is several calls, each of which sends the question anew.
const sliceTime = 500 * time.Millisecond

// findPMP asks the gateway whether it speaks NAT-PMP.
func findPMP(ctx context.Context, gateway, local netip.Addr) (*pmp, error) {
	p := &pmp{gateway: gateway, local: local}
	_, err := p.Look(ctx, nil)
	return p, err
}

// String names the protocol and the gateway.
func (p *pmp) String() string { return "NAT-PMP " + p.gateway.String() }

// Local is the address that the questions come from.
func (p *pmp) Local() netip.Addr { return p.local }

// Map asks for a mapping.
func (p *pmp) Map(ctx context.Context, port Port, external uint16, lease time.Duration) (m Mapping, err error) {
	err = p.ask(ctx, func(c *natpmp.Client) error {
		answer, err := c.AddPortMapping(string(port.Protocol), int(port.Number), int(external), int(lease/time.Second))
		if err != nil {
			return err
		}
		p.observe(answer.SecondsSinceStartOfEpoc)
		if answer.InternalPort != port.Number || answer.MappedExternalPort == 0 || answer.PortMappingLifetimeInSeconds == 0 {
			return errNonsense
		}
		m = Mapping{port, answer.MappedExternalPort, time.Duration(answer.PortMappingLifetimeInSeconds) * time.Second}
		return nil
	})
	return m, err
}

// Unmap removes the mapping of a port: one without a lifetime is none.
func (p *pmp) Unmap(ctx context.Context, m Mapping) error {
	return p.ask(ctx, func(c *natpmp.Client) error {
		_, err := c.AddPortMapping(string(m.Protocol), int(m.Number), 0, 0)
		return err
	})
}

// Look asks for the address outside. A gateway that was restarted has no mappings.
func (p *pmp) Look(ctx context.Context, _ []Mapping) (ip netip.Addr, err error) {
	err = p.ask(ctx, func(c *natpmp.Client) error {
		answer, err := c.GetExternalAddress()
		if err != nil {
			return err
		}
		p.observe(answer.SecondsSinceStartOfEpoc)
		ip = netip.AddrFrom4(answer.ExternalIPAddress)
		return nil
	})
	if err == nil && p.restarted {
		p.restarted = false
		err = ErrForgotten
	}
	return ip, err
}

// observe notices a restart: the gateway then counts less than has passed since it
// was asked before, by more than its clock may be slow.
func (p *pmp) observe(count uint32) {
	now := time.Now()
	if !p.counted.IsZero() {
		const slack = 2
		expected := int64(p.count) + int64(now.Sub(p.counted)/time.Second)*7/8
		p.restarted = p.restarted || int64(count) < expected-slack
	}
	p.count, p.counted = count, now
}

// ask calls the library until it has an answer or ctx ends. The library takes only
// what comes from the gateway's port, and 16 bytes of that.
func (p *pmp) ask(ctx context.Context, question func(*natpmp.Client) error) error {
	for {
		limit := sliceTime
		if deadline, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(deadline))
		}
		if ctx.Err() != nil || limit <= 0 {
			return fmt.Errorf("%v: %w", p, cmp.Or(ctx.Err(), context.DeadlineExceeded))
		}
		began := time.Now()
		client := natpmp.NewClientWithLocalAndTimeout(p.gateway.AsSlice(), p.local.AsSlice(), limit)
		if err := question(client); err == nil || time.Since(began) < limit {
			return err
		}
	}
}
