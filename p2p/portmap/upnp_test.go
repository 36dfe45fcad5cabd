package portmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// home is the network around a router on loopback.
var home = network{local: loopback, prefix: netip.PrefixFrom(loopback, 8), gateway: loopback}

// client finds the router by its description.
func (r *igd) client(t *testing.T) *upnp {
	t.Helper()
	u, err := connect(bound(t, 10*time.Second), r.location(), loopback)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (r *igd) location() *url.URL {
	return &url.URL{Scheme: "http", Host: r.addr().String(), Path: "/root.xml"}
}

func (r *igd) wantMaps(t *testing.T, want map[string]string) {
	t.Helper()
	r.set(func() {
		if !maps.Equal(r.has, want) {
			t.Errorf("the router maps %v, want %v", r.has, want)
		}
	})
}

func TestUPnPMapsLooksAndUnmaps(t *testing.T) {
	r := newIGD(t)
	u := r.client(t)
	if u.Local() != loopback || u.String() != "UPnP 127.0.0.1" {
		t.Errorf("%v from %v", u, u.Local())
	}
	ctx := bound(t, 20*time.Second)
	var held []Mapping
	for _, want := range []Mapping{{Port{TCP, 5000}, 5000, time.Hour}, {Port{UDP, 6000}, 6006, time.Hour}} {
		for range 2 { // a mapping, and its renewal
			if got, err := u.Map(ctx, want.Port, want.External, time.Hour); err != nil || got != want {
				t.Errorf("mapped %+v, %v; want %+v", got, err, want)
			}
		}
		held = append(held, want)
	}
	r.wantMaps(t, map[string]string{"5000/TCP": "127.0.0.1:5000 3600", "6006/UDP": "127.0.0.1:6000 3600"})
	if ip, err := u.Look(ctx, held); err != nil || ip != netip.MustParseAddr("51.1.2.3") {
		t.Errorf("it is at %v, %v", ip, err)
	}
	for range 2 { // the second time there is nothing
		for _, m := range held {
			if err := u.Unmap(ctx, m); err != nil {
				t.Error(err)
			}
		}
	}
	r.wantMaps(t, nil)
	if _, err := u.Look(ctx, held); !errors.Is(err, ErrForgotten) {
		t.Errorf("got %v, want that it has forgotten", err)
	}
}

func TestARouterThatKnowsNoLeasesMapsWithoutAnEnd(t *testing.T) {
	r := newIGD(t)
	r.fault = func(action string, args map[string]string) int {
		if action == "AddPortMapping" && args["NewLeaseDuration"] != "0" {
			return onlyPermanent
		}
		return 0
	}
	u := r.client(t)
	if got, err := u.Map(bound(t, 10*time.Second), Port{TCP, 5000}, 5000, time.Hour); err != nil || got != (Mapping{Port{TCP, 5000}, 5000, 0}) {
		t.Errorf("mapped %+v, %v", got, err)
	}
	r.wantMaps(t, map[string]string{"5000/TCP": "127.0.0.1:5000 0"})
}

func TestAPortThatIsTakenIsNotTakenAway(t *testing.T) {
	for name, others := range map[string]string{
		"another machine":      "127.0.0.9:5000 3600",
		"another port of ours": "127.0.0.1:5001 3600",
		"":                     "", // the router says so only when it is asked to map it
	} {
		t.Run(name, func(t *testing.T) {
			r := newIGD(t)
			u := r.client(t)
			if others != "" {
				r.has["5000/TCP"] = others
			}
			r.fault = func(action string, args map[string]string) int {
				if others == "" && action == "AddPortMapping" && args["NewExternalPort"] == "5000" {
					return conflict
				}
				return 0
			}
			got, err := u.Map(bound(t, 10*time.Second), Port{TCP, 5000}, 5000, time.Hour)
			if err != nil || got.External == 5000 || got.External < 1024 || got.Number != 5000 {
				t.Fatalf("mapped %+v, %v", got, err)
			}
			want := map[string]string{fmt.Sprintf("%d/TCP", got.External): "127.0.0.1:5000 3600"}
			if others != "" {
				want["5000/TCP"] = others
			}
			r.wantMaps(t, want)
		})
	}
}

func TestWhenAllPortsAreTakenThatIsAnError(t *testing.T) {
	r := newIGD(t)
	u := r.client(t)
	r.fault = func(action string, _ map[string]string) int {
		if action == "AddPortMapping" {
			return conflict
		}
		return 0
	}
	if _, err := u.Map(bound(t, 10*time.Second), Port{TCP, 5000}, 5000, time.Hour); !errors.Is(err, errTaken) {
		t.Errorf("got %v", err)
	}
	if n := strings.Count(strings.Join(r.asked, " "), "AddPortMapping"); n != mostPorts {
		t.Errorf("it was asked %d times, want %d", n, mostPorts)
	}
}

func TestARouterThatDoesNotTellWhoHasAPortMapsAllTheSame(t *testing.T) {
	r := newIGD(t)
	u := r.client(t)
	r.fault = func(action string, _ map[string]string) int {
		if action == "GetSpecificPortMappingEntry" {
			return 401
		}
		return 0
	}
	ctx := bound(t, 10*time.Second)
	m, err := u.Map(ctx, Port{TCP, 5000}, 5000, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Look(ctx, []Mapping{m}); err != nil {
		t.Error(err)
	}
}

func TestARefusalIsAnError(t *testing.T) {
	r := newIGD(t)
	u := r.client(t)
	r.fault = func(string, map[string]string) int { return 606 }
	ctx := bound(t, 10*time.Second)
	_, mapping := u.Map(ctx, Port{TCP, 5000}, 5000, time.Hour)
	_, looking := u.Look(ctx, nil)
	for _, err := range []error{mapping, looking, u.Unmap(ctx, Mapping{Port{TCP, 5000}, 5000, time.Hour})} {
		if !isFault(err, 606) || !strings.Contains(err.Error(), `fault 606 ("no")`) {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheServiceThatHasAConnectionIsUsed(t *testing.T) {
	for _, c := range []struct {
		services, outside []string
		want              string
	}{
		{[]string{ip1}, []string{"51.1.2.3"}, ip1},
		{[]string{ppp1, ip1, ip2}, []string{"51.1.2.3", "51.1.2.3", "51.1.2.3"}, ip2},
		{[]string{ip1, ppp1}, []string{"", "51.1.2.3"}, ppp1},
		{[]string{ip1, ip1}, []string{"nonsense", "51.1.2.3"}, ip1},
		{[]string{ip1}, []string{""}, ""},
		{[]string{"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"}, []string{"51.1.2.3"}, ""},
		{nil, nil, ""},
	} {
		r := newIGD(t)
		r.services, r.outside = c.services, c.outside
		u, err := connect(bound(t, 10*time.Second), r.location(), loopback)
		if c.want == "" {
			if err == nil {
				t.Errorf("%v: found %v", c.services, u.service)
			}
			continue
		}
		if err != nil || u.service != c.want {
			t.Errorf("%v: %+v, %v; want %s", c.services, u, err, c.want)
			continue
		}
		if ip, err := u.Look(bound(t, 10*time.Second), nil); err != nil || ip != netip.MustParseAddr("51.1.2.3") {
			t.Errorf("%v: %v, %v", c.services, ip, err)
		}
	}
}

// TestADescriptionLeadsNowhereElse than to the router that it is of.
func TestADescriptionLeadsNowhereElse(t *testing.T) {
	touched := make(chan string, 100)
	victim := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { touched <- r.URL.Path }))
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this system has no second loopback address: ", err)
	}
	_ = victim.Listener.Close()
	victim.Listener = l
	victim.Start()
	defer victim.Close()
	for name, describe := range map[string]func(*igd, http.ResponseWriter){
		"control URL": func(r *igd, w http.ResponseWriter) {
			_, _ = io.WriteString(w, strings.ReplaceAll(r.description(), "/control/", victim.URL+"/control/"))
		},
		"control URL with a name": func(r *igd, w http.ResponseWriter) {
			_, _ = io.WriteString(w, strings.ReplaceAll(r.description(), "/control/", strings.Replace(victim.URL, "[::1]", "localhost", 1)+"/control/"))
		},
		"base": func(r *igd, w http.ResponseWriter) {
			_, _ = io.WriteString(w, strings.Replace(r.description(), "<device>", "<URLBase>"+victim.URL+"</URLBase><device>", 1))
		},
		"redirection": func(_ *igd, w http.ResponseWriter) {
			w.Header().Set("Location", victim.URL)
			w.WriteHeader(http.StatusFound)
		},
	} {
		r := newIGD(t)
		r.serve = func(w http.ResponseWriter, _ *http.Request) { describe(r, w) }
		if u, err := connect(bound(t, 10*time.Second), r.location(), loopback); err == nil {
			t.Errorf("%s: found %v at %v", name, u, u.soap.EndpointURL.String())
		}
	}
	if len(touched) > 0 {
		t.Errorf("%s of somebody else was asked for", <-touched)
	}
}

func TestAClientTalksToTheRouterOnly(t *testing.T) {
	client := newClient(netip.MustParseAddr("127.0.0.2"), loopback)
	request, err := http.NewRequestWithContext(bound(t, 10*time.Second), http.MethodGet, "http://127.0.0.1:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(request); err == nil || !strings.Contains(err.Error(), "is not the router") { //nolint:bodyclose // there is none
		t.Errorf("got %v", err)
	}
}

// TestAnswersHaveABound in size and time, and so have what is told of them.
func TestAnswersHaveABound(t *testing.T) {
	endless := func(begin string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if _, err := io.WriteString(w, begin); err != nil {
				return
			}
			for range 10 << 20 / len(begin) {
				if _, err := io.WriteString(w, begin); err != nil {
					return
				}
			}
		}
	}
	for name, write := range map[string]func(http.ResponseWriter){
		"devices":  endless(`<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList>`),
		"text":     endless(`<root xmlns="urn:schemas-upnp-org:device-1-0">` + strings.Repeat("x", 1000)),
		"white":    endless(strings.Repeat(" ", 1000)),
		"header":   func(w http.ResponseWriter) { w.Header().Set("X", strings.Repeat("x", 2*mostHeader)) },
		"nonsense": func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("\x00\x1b[2J", 1000)) },
		"error":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"empty":    func(http.ResponseWriter) {},
	} {
		t.Run(name, func(t *testing.T) {
			r := newIGD(t)
			u := r.client(t)
			r.set(func() { r.serve = func(w http.ResponseWriter, _ *http.Request) { write(w) } })
			_, finding := connect(bound(t, 10*time.Second), r.location(), loopback)
			_, looking := u.Look(bound(t, 10*time.Second), nil)
			for _, err := range []error{finding, looking} {
				if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("got %q", err)
				}
			}
		})
	}
}

func TestARouterThatStallsIsCutOff(t *testing.T) {
	r := newIGD(t)
	u := r.client(t)
	stalled, over := make(chan struct{}, 10), make(chan struct{})
	r.set(func() {
		r.serve = func(_ http.ResponseWriter, request *http.Request) {
			stalled <- struct{}{}
			select {
			case <-request.Context().Done():
			case <-over:
			}
		}
	})
	defer close(over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-stalled
		cancel()
	}()
	if _, err := u.Look(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestARouterIsFoundByItsAnswer(t *testing.T) {
	t.Parallel()
	r := newIGD(t)
	u, err := home.findUPnP(bound(t, 10*time.Second), r.search())
	if err != nil || u.gateway != loopback || u.service != ip1 {
		t.Fatalf("found %+v, %v", u, err)
	}
	found, err := home.search(bound(t, searchTime), r.search()) // 127.0.0.1 speaks no NAT-PMP
	if err != nil || len(found) != 1 || found[0].String() != "UPnP 127.0.0.1" {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAStrangerIsNotARouter(t *testing.T) {
	t.Parallel()
	r := newIGD(t)
	strangers := network{local: loopback, gateway: netip.MustParseAddr("127.0.0.2")}
	if found, err := strangers.search(bound(t, searchTime), r.search()); !errors.Is(err, ErrNoGateway) {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestNoRouterIsFound(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"silence":    "",
		"nonsense":   strings.Repeat("x", 4096),
		"no service": answerOf("http://127.0.0.1:1/") + strings.Repeat("x", 4096),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newIGD(t)
			r.set(func() { r.answer = func(string) string { return answer } })
			began := time.Now()
			if found, err := home.findUPnP(bound(t, searchTime), r.search()); err == nil {
				t.Errorf("found %v", found)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the search took %v", took)
			}
		})
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	r := newIGD(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.set(func() { r.answer = func(string) string { cancel(); return "" } })
	if _, err := home.findUPnP(ctx, r.search()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
