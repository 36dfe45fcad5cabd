package wire_test

import (
	"reflect"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// samples holds messages of each command: the first with every field set, the last with none.
var samples = map[string][]wire.Decodable{
	wire.CommandVersion: {
		&wire.Version{
			NodeID: "node", AppName: "dchatd", AppVersion: wire.Semver{Minor: 4, Patch: 1, Pre: "rc.1", Build: "b"}, Timestamp: 1782864000,
			ConnectRecvAddr: addr.MustParse("tcp+tls://[2001:db8::1]:25551"), ResolveRecvAddr: addr.MustParse("tcp+tls://192.0.2.1:25551"),
			ExtSendAddr: []addr.Addr{addr.MustParse("tcp://192.0.2.7:1"), addr.MustParse("quic://Host.Example:1")},
			Features:    []wire.Feature{{Name: "rooms", Version: 1}, {Name: "", Version: 1<<32 - 1}},
		},
		&wire.Version{AppName: "dchatd", ConnectRecvAddr: addr.MustParse("tcp://127.0.0.1:1"), Features: []wire.Feature{{Name: "x"}}},
		&wire.Version{ConnectRecvAddr: addr.MustParse("foo:bar")},
	},
	wire.CommandVerack:  {&wire.Verack{AppVersion: wire.Semver{Major: 1<<64 - 1, Pre: "a"}, AppName: "dchatd"}, &wire.Verack{}},
	wire.CommandPing:    {&wire.Ping{Nonce: 4660}, &wire.Ping{}},
	wire.CommandPong:    {&wire.Pong{Nonce: 65535}, &wire.Pong{}},
	wire.CommandGetAddr: {&wire.GetAddr{Max: 8, Transports: []string{"tcp", "", "tcp+tls"}}, &wire.GetAddr{}},
	wire.CommandAddr: {
		&wire.Addrs{Entries: []wire.Entry{{Addr: addr.MustParse("tcp://192.0.2.7:1"), LastSeen: 1<<64 - 1}, {Addr: addr.MustParse("i2p://x.i2p:1")}}},
		&wire.Addrs{},
	},
	"DchatMsg": {&text{Msg: "héllo"}, &text{Msg: strings.Repeat("x", 252)}, &text{Msg: strings.Repeat("x", 70000)}, &text{}},
}

func wantSame(tb testing.TB, got, want wire.Decodable) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Fatalf("message\n%+v, want\n%+v", got, want)
	}
}
