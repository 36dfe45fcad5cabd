package p2p

import (
	"errors"
	"fmt"
	"reflect"

	"go.uber.org/zap"

	"dchat/p2p/hosts"
)

// ErrBlacklisted is why a connection ends to a peer that Reload put on the
// blacklist.
var ErrBlacklisted = errors.New("the peer is on the blacklist now")

// Reload applies other settings to the node, as far as that can be done while it
// runs: OutboundConnections, Peers, Seeds and Blacklist. Connections that these
// still allow go on. A node that does not run takes them at its next Start. It
// returns the names of the other fields that differ from what the node was made
// with, which wait for a node that is made anew. The error is that of New; then
// nothing has changed.
func (p *P2p) Reload(s Settings) (needRestart []string, err error) {
	if err := s.ValidateFor(p.transports); err != nil {
		return nil, fmt.Errorf("p2p settings: %w", err)
	}
	blacklist, err := hosts.NewBlacklist(s.Blacklist)
	if err != nil {
		return nil, fmt.Errorf("p2p settings: %w", err)
	}
	s = s.clone()
	p.reloading.Lock()
	defer p.reloading.Unlock()

	p.mu.Lock()
	needRestart = differing(&p.settings, &s)
	p.settings.OutboundConnections = s.OutboundConnections
	p.settings.Peers, p.settings.Seeds, p.settings.Blacklist = s.Peers, s.Seeds, s.Blacklist
	r, state := p.run, p.State()
	p.mu.Unlock()

	p.hosts.Configure(s.Peers, s.Seeds, blacklist)
	if state == Starting || state == Running { // what runs later begins with these settings
		r.outbound.SetSlots(s.OutboundConnections)
		p.leaveBlacklisted()
		r.manual.SetPeers(s.Peers)
		r.seeds.SetSeeds(s.Seeds)
	}
	return needRestart, nil
}

// leaveBlacklisted ends the connections that would not be made any more.
func (p *P2p) leaveBlacklisted() {
	for _, ch := range p.everyChannel() {
		if p.hosts.Blacklisted(ch.Addr()) {
			p.log.Info("Leaving a peer", zap.String("peer", ch.Addr().Redacted()), zap.Error(ErrBlacklisted))
			ch.Close(ErrBlacklisted)
		}
	}
}

// reloads tells whether Reload applies a field of Settings.
func reloads(field string) bool {
	switch field {
	case "OutboundConnections", "Peers", "Seeds", "Blacklist":
		return true
	}
	return false
}

// differing returns the names of the fields that Reload does not apply and that
// are not the same; no list is the same as an empty one.
func differing(a, b *Settings) []string {
	var names []string
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range va.NumField() {
		name, fa, fb := va.Type().Field(i).Name, va.Field(i), vb.Field(i)
		isList := fa.Kind() == reflect.Slice || fa.Kind() == reflect.Map
		if reloads(name) || isList && fa.Len() == 0 && fb.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(fa.Interface(), fb.Interface()) {
			names = append(names, name)
		}
	}
	return names
}
