package dnet

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingIsEmittedUntilSwitchedOnAndWatched(t *testing.T) {
	var b Bus
	b.Emit(Event{Name: Send})
	w := b.Watch()
	defer w.Close()
	if b.Enabled() {
		t.Fatal("enabled before it was switched on")
	}
	b.Emit(Event{Name: Send})
	b.Switch(true)
	if !b.Enabled() {
		t.Fatal("not enabled although switched on and watched")
	}
	b.Emit(Event{Name: Recv, Command: "ping"})
	if e := <-w.Events(); e.Name != Recv || e.Command != "ping" {
		t.Fatalf("first event is %+v, want the one after the switch", e)
	}
	b.Switch(false)
	b.Emit(Event{Name: Send})
	if n := len(w.Events()); n != 0 {
		t.Fatalf("%d events after it was switched off", n)
	}
}

func TestASlowWatcherLosesEventsAndIsToldHowMany(t *testing.T) {
	var b Bus
	b.Switch(true)
	slow, quick := b.Watch(), b.Watch()
	defer slow.Close()
	defer quick.Close()
	for range queue + 10 {
		b.Emit(Event{Name: Send})
		<-quick.Events()
	}
	if slow.Lost() != 10 || quick.Lost() != 0 {
		t.Fatalf("lost %d and %d events, want 10 and 0", slow.Lost(), quick.Lost())
	}
}

func TestAClosedWatcherGetsNothingMore(t *testing.T) {
	var b Bus
	b.Switch(true)
	w := b.Watch()
	w.Close()
	w.Close()
	b.Emit(Event{Name: Send})
	if b.Enabled() || len(w.Events()) != 0 {
		t.Fatal("events go to a closed watcher")
	}
}

func BenchmarkEmitUnwatched(b *testing.B) {
	var bus Bus
	b.ReportAllocs()
	for b.Loop() {
		bus.Emit(Event{Name: Send})
	}
}
