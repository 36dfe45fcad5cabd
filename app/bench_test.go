package app

import (
	"context"
	"io"
	"testing"

	"go.uber.org/fx"

	"dchat/app/internal/daemon"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// BenchmarkStart measures a daemon from nothing to listening: for peers, over TLS
// too, and for JSON-RPC. Stopping it is not counted.
func BenchmarkStart(b *testing.B) {
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0"), addr.MustParse("tcp+tls://127.0.0.1:0")}
	loaded := configured(settings)
	for b.Loop() {
		var node *p2p.P2p
		app := fx.New(Options(loaded), daemon.LogTo(io.Discard), fx.Populate(&node))
		if err := app.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if len(node.Addrs()) != len(settings.Inbound) {
			b.Fatalf("it listens at %v", node.Addrs())
		}
		if err := app.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
