package lilith

import (
	"cmp"
	"context"
	"slices"

	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p"
	"dchat/p2p/hosts"
)

// seed is the node of a network.
type seed struct {
	name string
	node *p2p.P2p
}

// Spawns is the result of the method spawns.
type Spawns struct {
	Spawns []Spawn `json:"spawns"` // in the order of their names
}

// Spawn is one network in Spawns. The addresses of each list are in the order in which they
// were last seen, the last first.
type Spawn struct {
	Name      string   `json:"name"`
	URLs      []string `json:"urls"`      // that are listened on
	Whitelist []string `json:"whitelist"` // addresses that have answered
	Greylist  []string `json:"greylist"`  // that were only heard of
	Goldlist  []string `json:"goldlist"`  // of peers that were connected to
}

// methods returns the methods ping and spawns.
func methods(seeds []seed) rpc.Methods {
	slices.SortFunc(seeds, byName)
	return rpc.Methods{
		"ping": func(context.Context, *jsonrpc.Call) (any, error) { return "pong", nil },
		"spawns": func(context.Context, *jsonrpc.Call) (any, error) {
			result := Spawns{Spawns: []Spawn{}}
			for _, s := range seeds {
				result.Spawns = append(result.Spawns, s.spawn())
			}
			return result, nil
		},
	}
}

func byName(a, b seed) int { return cmp.Compare(a.name, b.name) }

func (s seed) spawn() Spawn {
	urls := []string{}
	for _, a := range s.node.Addrs() {
		urls = append(urls, a.Public().String())
	}
	return Spawn{
		Name:      s.name,
		URLs:      urls,
		Whitelist: s.list(hosts.White),
		Greylist:  s.list(hosts.Grey),
		Goldlist:  s.list(hosts.Gold),
	}
}

func (s seed) list(c hosts.Colour) []string {
	urls := []string{}
	for _, e := range s.node.Hosts().List(c) {
		urls = append(urls, e.Addr.Public().String())
	}
	return urls
}
