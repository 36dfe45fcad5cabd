package session_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
)

// mixing is one recorded configuration, and how addresses are dialled under it.
type mixing struct {
	Active   []string
	Mixed    []string
	TorProxy *addr.Addr `json:"tor_socks5_proxy"`
	NymProxy *addr.Addr `json:"nym_socks5_proxy"`
	// Dial has the endpoints of each address, each with whether it is a mixed one.
	Dial              map[addr.Addr][][2]any
	DialableSchemes   []string `json:"dialable_schemes"`
	GetaddrTransports []string `json:"getaddr_transports"`
}

func (m mixing) routes() session.Routes {
	r := session.Routes{Active: m.Active, Mixed: m.Mixed}
	if m.TorProxy != nil {
		r.TorProxy = *m.TorProxy
	}
	if m.NymProxy != nil {
		r.NymProxy = *m.NymProxy
	}
	return r
}

func recordedMixing(t *testing.T) []mixing {
	t.Helper()
	data, err := os.ReadFile("testdata/transport_mixing.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []mixing
	if err := json.Unmarshal(data, &rows); err != nil || len(rows) < 20 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	return rows
}

func TestRoutesAsRecorded(t *testing.T) {
	for _, row := range recordedMixing(t) {
		r := row.routes()
		for a, want := range row.Dial {
			endpoints, mixed := r.Of(a)
			got := [][2]any{}
			for _, e := range endpoints {
				got = append(got, [2]any{e.String(), mixed})
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v mixed %v: %s is dialled at %v, want %v", row.Active, row.Mixed, a, got, want)
			}
		}
		if row.DialableSchemes == nil { // one row has only routes
			continue
		}
		schemes := r.Schemes(func(string) bool { return true })
		if !slices.Equal(schemes, row.DialableSchemes) {
			t.Errorf("%v mixed %v: can dial %v, want %v", row.Active, row.Mixed, schemes, row.DialableSchemes)
		}
		asked := slices.DeleteFunc(schemes, func(s string) bool { return !hosts.Shareable(s) })
		if !slices.Equal(asked, row.GetaddrTransports) {
			t.Errorf("%v mixed %v: asks for %v, want %v", row.Active, row.Mixed, asked, row.GetaddrTransports)
		}
	}
}

func TestSchemesWithoutATransportAreNotDialled(t *testing.T) {
	r := session.Routes{Active: []string{"nym", "tcp"}, Mixed: []string{"tcp"}}
	got := r.Schemes(func(scheme string) bool { return scheme == "tcp" })
	if len(got) != 0 {
		t.Errorf("can dial %v, although tcp goes through nym, for which there is no transport", got)
	}
}

// Also where the scheme is active itself, and no carrier can be told the address.
func TestWhatAnotherSchemeCarriesIsNeverDialledDirectly(t *testing.T) {
	r := session.Routes{
		Active: []string{"socks5", "tcp"}, Mixed: []string{"tcp"},
		TorProxy: addr.MustParse("socks5://user:" + strings.Repeat("x", 255) + "@127.0.0.1:9050"),
	}
	for _, a := range []string{"tcp://host", "tcp://" + strings.Repeat("a", 3900) + ":1"} {
		if endpoints, mixed := r.Of(addr.MustParse(a)); len(endpoints) != 0 || !mixed {
			t.Errorf("%.30s is dialled at %v", a, endpoints)
		}
	}
}
