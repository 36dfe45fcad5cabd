package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// A seed that answers but is of no use is told apart by what it does.
func TestWhatASeedDoesIsToldInWords(t *testing.T) {
	entry := wire.Entry{Addr: peerAddr, LastSeen: 1}
	for _, c := range []struct {
		name   string
		seed   func(*p2ptest.Peer)
		step   string
		status Status
		detail string
		took   time.Duration
	}{
		{"tells addresses", func(p *p2ptest.Peer) {
			p.Handshake()
			p.Expect(&wire.GetAddr{})
			p.Send(&wire.Addrs{Entries: []wire.Entry{entry, {Addr: ownAddr}, {Addr: seedAddr}}})
		}, StepAddresses, OK, "it told 2 addresses", 0},
		{"pings before it tells them", func(p *p2ptest.Peer) {
			p.Handshake()
			p.Alive()
			p.Send(&wire.Ping{Nonce: 1}, &wire.GetAddr{Max: 1}, &wire.Pong{Nonce: 2}, &wire.Addrs{Entries: []wire.Entry{entry}})
		}, StepAddresses, OK, "it told 1 address", 0},
		{"knows only us", func(p *p2ptest.Peer) {
			p.Handshake()
			p.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: ownAddr}}})
		}, StepAddresses, Warn, "it knows nobody but you", 0},
		{"tells nothing", func(p *p2ptest.Peer) { p.Handshake() }, StepAddresses, Fail, "it does not tell any: silent for 10s", 10 * time.Second},
		{"does not know the question", func(p *p2ptest.Peer) {
			p.Handshake()
			p.Close(false)
		}, StepAddresses, Fail, "it does not tell any: it closed the connection", 0},
		{"is silent", func(*p2ptest.Peer) {}, StepVersion, Fail, "silent for 10s", 10 * time.Second},
		{"closes at once", func(p *p2ptest.Peer) { p.Close(false) }, StepVersion, Fail, "it closed the connection without a byte", 0},
		{"closes in the handshake", func(p *p2ptest.Peer) {
			p.Send(&p.Version)
			p.Close(false)
		}, StepVersion, Fail, "it closed the connection", 0},
		{"is of another application", func(p *p2ptest.Peer) {
			p.Version.AppName, p.Version.AppVersion = "darkirc", wire.Semver{Minor: 5}
			p.Verack = wire.Verack{AppName: "darkirc", AppVersion: wire.Semver{Minor: 5}}
			p.Send(&p.Version, &p.Verack)
		}, StepVersion, Fail, "the seed runs darkirc 0.5.0, you run dchatd 0.4.1", 0},
		{"is of another version, and refuses us first", func(p *p2ptest.Peer) {
			p.Version.AppVersion = wire.Semver{Major: 1}
			p.Send(&p.Version)
			p.Expect(&wire.Verack{})
			p.Close(false)
		}, StepVersion, Fail, "the seed runs dchatd 1.0.0, you run dchatd 0.4.1", 0},
		{"says one thing and means another", func(p *p2ptest.Peer) {
			p.Verack.AppName = "darkirc"
			p.Send(&p.Version, &p.Verack)
		}, StepVersion, Fail, `the peer runs "darkirc" "0.4.1", we run "dchatd" "0.4.1"`, 0},
		{"is on another network", func(p *p2ptest.Peer) {
			p.Magic = [4]byte{1, 2, 3, 4}
			p.Send(&p.Version)
		}, StepVersion, Fail, "it is on another network: its magic bytes are [1 2 3 4], yours [217 239 182 125]", 0},
		{"is on another network, and writes byte by byte", func(p *p2ptest.Peer) {
			p.Magic = [4]byte{1, 2, 3, 4}
			for _, b := range p.Frame(&p.Version) {
				p.Write([]byte{b})
			}
		}, StepVersion, Fail, "it is on another network: its magic bytes are [1 2 3 4], yours [217 239 182 125]", 0},
		{"speaks TLS", func(p *p2ptest.Peer) { p.Write([]byte{0x15, 3, 3, 0, 2, 2, 50}) }, StepVersion, Fail, "it speaks TLS", 0},
		{"is a web server", func(p *p2ptest.Peer) { p.Write([]byte("HTTP/1.1 400 Bad Request\r\n")) },
			StepVersion, Fail, `what answers there is no node: it says "HTTP/1.1 400 Bad"`, 0},
		{"breaks the protocol", func(p *p2ptest.Peer) { p.Write(p.RawFrame("\x1b[31m", nil)) },
			StepVersion, Fail, `it breaks the protocol: wire: unknown command "\x1b[31m"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, done := askedBy(t, patient(memory(), func(s *p2p.Settings) {
					s.Seeds, s.ExternalAddrs = []addr.Addr{seedAddr}, []addr.Addr{ownAddr}
				}), seedAddr)
				c.seed(p)
				r := <-done
				got := wantLast(t, r, Check{Stage: StageSeed, Step: c.step, Target: "tcp://198.51.100.1:1", Status: c.status, Detail: c.detail})
				if took := got.Took.Truncate(time.Second); took != c.took && c.took > 0 {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if c.status == Fail && !strings.Contains(r.Summary, c.detail) {
					t.Errorf("the only reason is not in the summary: %q", r.Summary)
				}
			})
		})
	}
}

// What a seed sees is an ordinary node that comes for addresses; what a peer sees is
// one that tests its address. Both connections end between two frames.
func TestTheDoctorIsAPolitePeer(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*p2p.Settings)
		at     addr.Addr
		asks   bool
	}{
		"to a seed": {withSeeds(seedAddr), seedAddr, true},
		"to a peer": {func(s *p2p.Settings) { s.Peers = []addr.Addr{peerAddr} }, peerAddr, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, done := askedBy(t, patient(memory(), func(s *p2p.Settings) {
					c.change(s)
					s.ActiveProfiles = append(s.ActiveProfiles, s.ActiveProfiles...) // which changes nothing
				}), c.at)
				version := p.Handshake()
				if version.AppName != "dchatd" || version.ConnectRecvAddr != c.at || version.ResolveRecvAddr != c.at || len(version.ExtSendAddr)+len(version.Features) > 0 {
					t.Errorf("version is %+v", version)
				}
				if c.asks {
					var ask wire.GetAddr
					p.Expect(&ask)
					if ask.Max > 8 || strings.Join(ask.Transports, " ") != "tcp tcp+tls" {
						t.Errorf("it asks for %+v", ask)
					}
					p.Send(&wire.Addrs{})
				}
				if rest := p.Closed(); len(rest) > 0 {
					t.Errorf("it also sends %v", rest)
				}
				p.Close(false)
				<-done
			})
		})
	}
}

// dialled is a transport on which every dial fails in one way.
type dialled struct {
	transport.Transport
	err error
}

func (d dialled) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if d.err != nil {
		return nil, &transport.Error{Op: "dial", Addr: a, Err: d.err}
	}
	<-ctx.Done()
	return nil, &transport.Error{Op: "dial", Addr: a, Err: ctx.Err()}
}

func TestWhyADialFailsIsToldInWords(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"refused":        {syscall.ECONNREFUSED, "refused: nothing listens there"},
		"dropped":        {nil, "no answer within 15s"},
		"no route":       {&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}, "there is no way to that network from here"},
		"reset":          {syscall.ECONNRESET, "it closed the connection"},
		"something else": {errors.New("out of paper"), "out of paper"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := Examine(t.Context(), patient(transport.Set{addr.TCP: dialled{err: c.err}}, withSeeds(seedAddr)))
				checks := checksOf(r, StageSeed)
				if got := checks[0]; len(checks) != 1 || got.Step != StepConnect || got.Status != Fail || got.Detail != c.want {
					t.Errorf("got %+v, want %q", checks, c.want)
				}
			})
		})
	}
}

func TestAWrongCertificateAndNoTLSAreToldApart(t *testing.T) {
	secure := addr.MustParse("tcp+tls://198.51.100.1:1")
	t.Run("plain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := patient(memory(), withSeeds(secure))
			l := listen(t, p.Transports, seedAddr)
			done := begin(t, p)
			peer := p2ptest.Accept(t, l)
			peer.Send(&peer.Version)
			wantLast(t, <-done, Check{Stage: StageSeed, Step: StepTLS, Status: Fail, Detail: "it does not speak TLS"})
		})
	})
	t.Run("right", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			peer, done := askedBy(t, patient(memory(), withSeeds(secure)), secure)
			peer.Handshake()
			peer.Send(&wire.Addrs{})
			r := <-done
			var steps []string
			for _, c := range checksOf(r, StageSeed) {
				steps = append(steps, c.Step)
			}
			if got := strings.Join(steps, " "); got != "connect tls version addresses" {
				t.Errorf("steps are %s", got)
			}
		})
	})
	t.Run("certificate", func(t *testing.T) {
		set := transport.Set{addr.TCPTLS: dialled{err: transport.ErrCertificate}}
		wantLast(t, Examine(t.Context(), patient(set, withSeeds(secure))), Check{Stage: StageSeed, Step: StepConnect, Status: Fail,
			Detail: "the certificate of the peer is not acceptable"})
	})
	t.Run("silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := patient(memory(), withSeeds(secure))
			listen(t, p.Transports, seedAddr) // takes the connection, and never looks at it
			wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepTLS, Status: Fail, Detail: "no answer within 15s"})
		})
	})
}

// names is a resolver that knows some names.
type names map[string][]netip.Addr

func (n names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if ips, ok := n[host]; ok {
		return ips, nil
	}
	if host == "slow.example" {
		<-ctx.Done()
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestNamesAreLookedUp(t *testing.T) {
	many := []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("192.0.2.5")}
	for name, c := range map[string]struct {
		seed   string
		status Status
		want   string
	}{
		"known":          {"tcp://one.example:1", OK, "192.0.2.3"},
		"many addresses": {"tcp://many.example:1", OK, "192.0.2.1, 2001:db8::1, 192.0.2.3, 192.0.2.4, and 1 more"},
		"unknown":        {"tcp://none.example:1", Fail, "there is no such name"},
		"no answer":      {"tcp://slow.example:1", Fail, "the name cannot be looked up: the name server does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := patient(memory(), withSeeds(addr.MustParse(c.seed)))
				p.Resolver = names{"one.example": many[2:3], "many.example": many}
				if got := checksOf(Examine(t.Context(), p), StageSeed)[0]; got.Step != StepResolve || got.Status != c.status || got.Detail != c.want {
					t.Errorf("got %+v, want %q", got, c.want)
				}
			})
		})
	}
}

// A name that goes to a proxy is nobody else's business.
func TestNamesOfHiddenServicesAreNotLookedUp(t *testing.T) {
	p := patient(transport.Set{addr.Tor: dialled{err: syscall.ECONNREFUSED}}, func(s *p2p.Settings) {
		s.ActiveProfiles, s.Seeds = []string{addr.Tor}, []addr.Addr{onionAddr}
	})
	p.Resolver = names{}
	wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepConnect, Status: Fail})
}

// Nor are those that no name server knows, also where the node would not use a proxy.
func TestNamesThatOnlyAnotherNetworkFindsAreNotLookedUp(t *testing.T) {
	for seed, network := range map[string]string{
		"tcp://" + onionAddr.HostPort():         "Tor",
		"tcp://" + onionAddr.Hostname() + ".:1": "Tor",
		"quic://node.I2P:1":                     "I2P",
		"tcp+tls://node.i2p.:1":                 "I2P",
	} {
		t.Run(seed, func(t *testing.T) {
			p := patient(transport.Set{addr.TCP: dialled{}, addr.TCPTLS: dialled{}, addr.QUIC: dialled{}}, withSeeds(addr.MustParse(seed)))
			p.Settings.ActiveProfiles = []string{addr.TCP, addr.TCPTLS, addr.QUIC}
			p.Resolver = untouchable{nil, t}
			last := wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepResolve, Status: Fail})
			if want := "the scheme " + strings.ToLower(network); !strings.Contains(last.Detail, "only "+network) || !strings.Contains(last.Advice, want) {
				t.Errorf("got %q, %q", last.Detail, last.Advice)
			}
		})
	}
}

func TestWhatTheNodeNeverDialsIsNotAsked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*p2p.Settings)
		seed   string
		want   string
	}{
		"no transport": {func(*p2p.Settings) {}, "quic://198.51.100.1:1", `this program has no transport "quic"`},
		"not active":   {func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.TCPTLS} }, "tcp://198.51.100.1:1", `"tcp" is not among the active profiles`},
		"blacklisted": {func(s *p2p.Settings) {
			s.Blacklist = []p2p.BlacklistEntry{{Host: "198.51.100.1", Schemes: []string{"tcp"}}}
		}, "tcp://198.51.100.1:1", "it is on your blacklist"},
		"our own": {func(s *p2p.Settings) { s.ExternalAddrs = s.Seeds }, "tcp://198.51.100.1:1", "it is an address of this node itself"},
	} {
		t.Run(name, func(t *testing.T) {
			p := patient(memory(), func(s *p2p.Settings) {
				s.Seeds = []addr.Addr{addr.MustParse(c.seed)}
				c.change(s)
			})
			p.Asking = func(a addr.Addr) { t.Errorf("%v is asked", a) }
			wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepDialable, Status: Fail, Detail: c.want})
		})
	}
}

// However long the time limits of the network are, and however many do not answer.
func TestAnExaminationEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := addr.MustParse("tcp+tls://198.51.100.7:7")
		p := patient(memory(), func(s *p2p.Settings) {
			s.Profiles[addr.TCP] = p2p.Profile{ConnectTimeout: time.Hour, HandshakeTimeout: time.Hour, HeartbeatInterval: time.Hour}
			s.Profiles[addr.TCPTLS] = s.Profiles[addr.TCP]
			s.Seeds, s.Peers = []addr.Addr{seedAddr, addr.MustParse("tcp://slow.example:1")}, []addr.Addr{peerAddr, silent}
		})
		p.Resolver = names{}
		l := listen(t, p.Transports, peerAddr)
		listen(t, p.Transports, addr.MustParse("tcp://198.51.100.7:7"))
		began := time.Now()
		peer, done := askedBy(t, p, seedAddr)
		p2ptest.Accept(t, l)
		peer.Handshake()
		r := <-done
		if took := time.Since(began); took < Longest || took > Longest+3*time.Second {
			t.Errorf("it took %v", took)
		}
		if r.Summary != "No daemon. Of its seeds and peers 0 of 4 can be reached." && !strings.Contains(r.Summary, "neither a seed nor a peer answers") {
			t.Errorf("summary is %q", r.Summary)
		}
		for _, c := range r.Checks {
			if (c.Stage == StageSeed || c.Stage == StagePeer) && c.Status == Fail && !strings.Contains(c.Detail, "20s") && !strings.Contains(c.Detail, "name server") {
				t.Errorf("check is %+v", c)
			}
		}
	})
}
