package p2p_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestConnectedWaitsForEnoughPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		if err := n.Connected(t.Context(), 0); err != nil {
			t.Errorf("waiting for nobody: %v", err)
		}
		result := make(chan error, 1)
		go func() { result <- n.Connected(t.Context(), 2) }()
		n.greeted()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("returned %v with one peer", err)
		default:
		}
		n.greeted()
		if err := <-result; err != nil {
			t.Errorf("with two peers: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.Connected(ctx, 3); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of its context: %v", err)
		}
	})
}
