package transport

import (
	"context"
	"net"
	"testing"

	"github.com/quic-go/quic-go"
)

func TestAHostHasAShareOfTheHandshakesOfAQUICSocket(t *testing.T) {
	l := newQUICLoad()
	type handshake struct {
		ctx    context.Context
		cancel context.CancelFunc
	}
	begin := func(ip string) (handshake, bool) {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		ctx, err := l.begin(ctx, &quic.ClientInfo{RemoteAddr: &net.UDPAddr{IP: net.ParseIP(ip), Port: 1}})
		return handshake{ctx, cancel}, err == nil
	}
	count := func(ip string) (taken int, last handshake) {
		for range quicMost + 1 {
			if h, ok := begin(ip); ok {
				taken, last = taken+1, h
			}
		}
		return taken, last
	}
	var last handshake
	for _, c := range []struct {
		ip   string
		want int
	}{
		{"6.6.6.6", quicShare},
		{"2600::1", quicShare},
		{"2600::2", 0}, // of the same network
		{"2600:0:0:1::1", quicShare},
		{"127.0.0.1", quicMost - 3*quicShare},
	} {
		var got int
		if got, last = count(c.ip); got != c.want {
			t.Errorf("%d handshakes of %s, want %d", got, c.ip, c.want)
		}
		if c.want > 0 && !l.many() {
			t.Error("they are not many")
		}
	}
	if _, ok := begin("9.9.9.9"); ok {
		t.Error("one more was begun")
	}
	end := last.ctx.Value(quicLoadKey{}).(func())
	end()
	end() // however often
	last.cancel()
	if _, ok := begin("9.9.9.9"); !ok {
		t.Error("the place of one that is done was not given to another")
	}
	if _, ok := begin("9.9.9.9"); ok {
		t.Error("it was given twice")
	}
}
