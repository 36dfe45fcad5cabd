package hosts_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// A peer behind a proxy is where it is itself, wherever the proxy is.
func TestAPeerBehindAProxyIsJudgedByItsOwnPlace(t *testing.T) {
	far, near := addr.MustParse("socks5://127.0.0.1:9050/8.8.8.8:1"), addr.MustParse("socks5+tls://9.9.9.9:1080/10.0.0.1:1")
	for _, c := range []struct {
		name    string
		peers   []addr.Addr
		offence hosts.Offence
		banned  bool
	}{
		{"it is far, and its proxy is not", nil, hosts.Offence{Peer: far}, true},
		{"it is near, and its proxy is not", nil, hosts.Offence{Peer: near}, false},
		{"its host is that of a configured peer", []addr.Addr{far}, hosts.Offence{Peer: addr.MustParse("tcp://8.8.8.8:5"), Inbound: true}, false},
	} {
		h := hosts.New(hosts.Settings{Peers: c.peers, BanTime: time.Hour}, zap.NewNop())
		if _, banned := h.Offend(c.offence); banned != c.banned {
			t.Errorf("%s: banned is %v", c.name, banned)
		}
	}
	h := hosts.New(hosts.Settings{Localnet: true, Dialable: []string{addr.TCP}}, zap.NewNop())
	h.Heard(far, []wire.Entry{{Addr: addr.MustParse("tcp://127.0.0.1:22"), LastSeen: uint64(time.Now().Unix())}})
	if h.Len(hosts.Grey) != 0 {
		t.Error("it has told of a door of this machine")
	}
}
