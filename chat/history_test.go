package chat

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p/addr"
)

var peer = addr.MustParse("tcp://10.0.0.1:1")

func history(t *testing.T, messages, bytes int) *History {
	t.Helper()
	h, err := NewHistory(Settings{HistoryMessages: messages, HistoryBytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func seqs(entries []Entry) []uint64 {
	var got []uint64
	for _, e := range entries {
		got = append(got, e.Seq)
	}
	return got
}

func TestTheOldestEntriesAreDroppedAndCounted(t *testing.T) {
	t.Run("by number", func(t *testing.T) {
		h := history(t, 10, 16<<20)
		for range 25 {
			h.received(peer, "x")
		}
		entries, dropped := h.After(0, 0)
		if len(entries) != 10 || entries[0].Seq != 16 || dropped != 15 || h.Dropped() != 15 {
			t.Errorf("kept %v, dropped %d and %d", seqs(entries), dropped, h.Dropped())
		}
	})
	t.Run("by size", func(t *testing.T) {
		h := history(t, 1000, 2*MaxReceive)
		text := strings.Repeat("x", MaxReceive-entryOverhead)
		for range 5 {
			h.received(peer, text)
		}
		if entries, _ := h.After(0, 0); len(entries) != 2 || h.Dropped() != 3 {
			t.Errorf("kept %v, dropped %d", seqs(entries), h.Dropped())
		}
	})
}

func TestAfterReturnsAPageAndWhatIsMissingBeforeIt(t *testing.T) {
	h := history(t, 10, 16<<20)
	for range 20 { // 11 to 20 are kept
		h.received(peer, "x")
	}
	for _, c := range []struct {
		after       uint64
		limit       int
		first, last uint64
		dropped     uint64
	}{
		{0, 0, 11, 20, 10},
		{0, 3, 11, 13, 10},
		{5, 1, 11, 11, 5},
		{10, 0, 11, 20, 0},
		{15, 0, 16, 20, 0},
		{15, 2, 16, 17, 0},
		{19, 9, 20, 20, 0},
	} {
		entries, dropped := h.After(c.after, c.limit)
		if got := seqs(entries); got[0] != c.first || got[len(got)-1] != c.last || dropped != c.dropped {
			t.Errorf("After(%d, %d) is %v and %d dropped", c.after, c.limit, got, dropped)
		}
	}
	for _, after := range []uint64{20, 21, 1 << 63} {
		if entries, dropped := h.After(after, 0); entries != nil || dropped != 0 {
			t.Errorf("After(%d) is %v and %d dropped", after, seqs(entries), dropped)
		}
	}
}

func TestASubscriberIsToldWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := history(t, 10, 16<<20)
		h.received(peer, "before")
		sub, all := h.Subscribe(), h.SubscribeAfter(0)
		for range 20 {
			h.received(peer, "x")
		}
		if e, missed, err := sub.Next(t.Context()); e.Seq != 12 || missed != 10 || err != nil {
			t.Errorf("got entry %d, %d missed, %v", e.Seq, missed, err)
		}
		if e, missed, err := sub.Next(t.Context()); e.Seq != 13 || missed != 0 || err != nil {
			t.Errorf("got entry %d, %d missed, %v", e.Seq, missed, err)
		}
		if _, missed, _ := all.Next(t.Context()); missed != 11 {
			t.Errorf("%d missed from the beginning", missed)
		}
	})
}

func TestASubscriberWaitsForTheNextEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := history(t, 10, 16<<20)
		got := make(chan string)
		for range 3 {
			sub := h.Subscribe()
			go func() {
				e, _, _ := sub.Next(t.Context())
				got <- e.Text
			}()
		}
		synctest.Wait()
		h.received(peer, "now")
		for range 3 {
			if text := <-got; text != "now" {
				t.Errorf("got %q", text)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := h.Subscribe().Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestATextThatIsTooLongIsNotKeptAndCounted(t *testing.T) {
	h := history(t, 10, 16<<20)
	h.received(peer, strings.Repeat("x", MaxReceive))
	h.received(peer, strings.Repeat("x", MaxReceive+1))
	if entries, _ := h.After(0, 0); len(entries) != 1 || h.TooLong() != 1 {
		t.Errorf("kept %v, %d were too long", seqs(entries), h.TooLong())
	}
}

func TestSettingsNameFieldValueAndRange(t *testing.T) {
	_, err := NewHistory(Settings{HistoryMessages: 0, HistoryBytes: 5})
	for _, want := range []string{"HistoryMessages is 0: give a number from 1", "HistoryBytes is 5: give a number from 2097152"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzMessage(f *testing.F) {
	for _, text := range []string{"", "hello", "é🦀", strings.Repeat("x", 300)} {
		f.Add(Message{text}.AppendPayload(nil))
	}
	f.Add([]byte{5, 'a'})
	f.Add([]byte{1, 0xff})
	f.Add([]byte{1, 'a', 'b'})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m Message
		if m.Decode(payload) != nil {
			return
		}
		if again := m.AppendPayload(nil); string(again) != string(payload) {
			t.Errorf("%x decodes to %q, which encodes to %x", payload, m.Text, again)
		}
	})
}
