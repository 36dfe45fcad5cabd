package portmap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// network is what a search for gateways is made in.
type network struct {
	local   netip.Addr   // of this machine, towards the internet
	prefix  netip.Prefix // of the network around it
	gateway netip.Addr   // that packets for the internet go to; zero: the system does not say
}

// FindGateways looks for routers in front of this machine that map ports: by NAT-PMP
// and UPnP at the same time, and for as long as ctx allows.
//
// A machine has one way to the internet. Only what is there is asked: behind a VPN that
// all packets take, the router at home is not, since connections through it would not
// get back, and show where this machine is.
func FindGateways(ctx context.Context) ([]Gateway, error) {
	n, err := surroundings(ctx)
	if err != nil {
		return nil, err
	}
	return n.search(ctx, ssdpGroup)
}

// search asks for gateways, those with UPnP at ssdp.
func (n network) search(ctx context.Context, ssdp netip.AddrPort) ([]Gateway, error) {
	var asked sync.WaitGroup
	var byPMP *pmp
	var byUPnP *upnp
	noPMP := errors.New("NAT-PMP: the system does not tell which router there is")
	var noUPnP error
	if n.gateway.IsValid() {
		asked.Go(func() { byPMP, noPMP = findPMP(ctx, n.gateway, n.local) })
	}
	asked.Go(func() { byUPnP, noUPnP = n.findUPnP(ctx, ssdp) })
	asked.Wait()

	var found []Gateway
	if noPMP == nil {
		found = append(found, byPMP)
	}
	if noUPnP == nil {
		found = append(found, byUPnP)
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %w; %w", ErrNoGateway, noPMP, noUPnP)
	}
	return found, nil
}

// surroundings finds out where this machine is.
func surroundings(ctx context.Context) (network, error) {
	local, err := outward(ctx)
	if err != nil {
		return network{}, fmt.Errorf("%w: %w", ErrNoGateway, err)
	}
	if !isLocal(local) {
		return network{}, fmt.Errorf("%w: %v", ErrNoNAT, local)
	}
	iface, prefix, err := interfaceOf(local)
	if err != nil {
		return network{}, fmt.Errorf("%w: %w", ErrNoGateway, err)
	}
	gateway, err := gatewayOf(iface)
	if err == nil && gateway.IsValid() && !isLocal(gateway) {
		err = fmt.Errorf("the router %v is not in a private network", gateway)
	}
	if err != nil {
		return network{}, fmt.Errorf("%w: %w", ErrNoGateway, err)
	}
	return network{local, prefix, gateway}, nil
}

// somewhere is an address of the internet that routes lead to as to any other. It is
// reserved for documents: nothing is ever sent to it.
var somewhere = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 9)

// outward returns the address that packets of this machine to the internet come from.
// That a UDP socket is connected sends none.
func outward(ctx context.Context) (netip.Addr, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp4", somewhere.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = conn.Close() }()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return local.Addr().Unmap(), err
}

// interfaceOf returns the name of the interface that has an address, and the network
// that it is in.
func interfaceOf(local netip.Addr) (string, netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", netip.Prefix{}, err
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return "", netip.Prefix{}, err
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == local {
				return i.Name, prefix.Masked(), nil
			}
		}
	}
	return "", netip.Prefix{}, fmt.Errorf("no interface has the address %v", local)
}

// believes tells whether an address may be that of a gateway.
func (n network) believes(ip netip.Addr) bool {
	if n.gateway.IsValid() {
		return ip == n.gateway
	}
	return n.prefix.Contains(ip) && ip != n.local
}
