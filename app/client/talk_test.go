package client

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/app/internal/apptest"
	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

// fakeRoom is a room whose texts and answers the test decides.
type fakeRoom struct {
	texts   chan heard
	answers chan sent       // what becomes of each line
	asked   chan string     // the lines
	left    chan struct{}   // closed when a wait for an answer was given up
	ctx     context.Context // the test's
}

func newFakeRoom(t *testing.T) *fakeRoom {
	return &fakeRoom{texts: make(chan heard), answers: make(chan sent, 8), asked: make(chan string, 8), left: make(chan struct{}), ctx: t.Context()}
}

// Send waits for what the test answers.
func (r *fakeRoom) Send(ctx context.Context, text string) (chat.Receipt, error) {
	r.asked <- text
	select {
	case a := <-r.answers:
		return a.receipt, a.err
	case <-ctx.Done():
		close(r.left)
		return chat.Receipt{}, ctx.Err()
	}
}

// Next returns what the test says.
func (r *fakeRoom) Next(ctx context.Context) (chat.Entry, uint64, error) {
	select {
	case h := <-r.texts:
		return h.entry, h.missed, h.err
	case <-ctx.Done():
		return chat.Entry{}, 0, ctx.Err()
	}
}

func (r *fakeRoom) say(seq uint64, d chat.Direction, text string) {
	r.texts <- heard{entry: chat.Entry{Seq: seq, Time: time.Now(), Direction: d, Addr: addr.MustParse("tcp://203.0.113.7:1"), Text: text}}
}

// party is a conversation that runs: typed are its keys, out is what it shows.
type party struct {
	t         *testing.T
	room      *fakeRoom
	typed     *io.PipeWriter
	out       *apptest.Output
	interrupt context.CancelFunc
	ended     chan error
}

// startParty starts a conversation on a terminal, or on plain input and output.
func startParty(t *testing.T, terminal bool) *party {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	keys, typed := io.Pipe()
	p := &party{t: t, room: newFakeRoom(t), typed: typed, out: apptest.NewOutput(), interrupt: cancel, ended: make(chan error, 1)}
	c := console{lines: newLineReader(keys).next, texts: p.out, notes: p.out}
	if terminal {
		c = newScreen(keys, p.out, cancel).console()
	}
	go func() { p.ended <- newConversation(p.room, c).run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = typed.Close()
	})
	return p
}

func (p *party) keys(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.typed, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *party) wantEnd(want error) {
	p.t.Helper()
	select {
	case err := <-p.ended:
		if !errors.Is(err, want) {
			p.t.Errorf("ended with %v, want %v", err, want)
		}
	case <-time.After(apptest.Patience):
		p.t.Fatalf("it goes on; it has shown\n%q", p.out)
	}
}

func TestConversationSaysWhatBecameOfEachLine(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer sent
		note   string
	}{
		{"taken by one", sent{receipt: chat.Receipt{Seq: 1, Peers: 1}}, "-- sent to 1 peer\n"},
		{"taken by several", sent{receipt: chat.Receipt{Seq: 1, Peers: 12}}, "-- sent to 12 peers\n"},
		{"nobody there", sent{err: chat.ErrNoPeers}, "-- nobody is connected: not sent\n"},
		{"nobody knows", sent{err: explain(jsonrpc.ErrDisconnected, "it is unknown")}, "-- it is unknown\n"},
		{"refused", sent{err: errors.New("bad \x1b[2J\ntext")}, `-- not sent: bad \u001b[2J⏎text`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := startParty(t, false)
			p.room.answers <- test.answer
			p.keys("hello\n")
			p.out.WaitFor(t, test.note)
			if got := <-p.room.asked; got != "hello" {
				t.Errorf("%q was sent", got)
			}
			shown := strings.Contains(p.out.String(), "<you> hello\n")
			if sent := test.answer.err == nil; shown != sent {
				t.Errorf("it shows %q", p.out)
			}
		})
	}
}

func TestConversationSaysThatALineIsStillOnItsWay(t *testing.T) {
	const note = "-- the last line is still on its way"
	synctest.Test(t, func(t *testing.T) {
		p := startParty(t, false)
		for range 2 { // each line has its own time
			p.keys("hello\n")
			time.Sleep(slow - time.Millisecond)
			p.room.answers <- sent{receipt: chat.Receipt{Seq: 1, Peers: 1}}
			synctest.Wait()
		}
		if strings.Contains(p.out.String(), note) {
			t.Errorf("it shows %q", p.out)
		}
		p.keys("hello\n")
		time.Sleep(time.Hour)
		if n := strings.Count(p.out.String(), note); n != 1 {
			t.Errorf("it says so %d times: %q", n, p.out)
		}
		p.interrupt()
		p.wantEnd(nil)
	})
}

func TestConversationShowsWhatIsSaid(t *testing.T) {
	p := startParty(t, false)
	p.room.say(1, chat.Received, "\x1b[2Jhi\nyou")
	p.out.WaitFor(t, ` <tcp://203.0.113.7:1> \u001b[2Jhi⏎you`+"\n")
	p.room.say(2, chat.Sent, "from another program")
	p.out.WaitFor(t, " <you> from another program\n")
	p.room.texts <- heard{entry: chat.Entry{Seq: 9, Text: "later"}, missed: 6}
	p.out.WaitFor(t, "-- missing here: 6 texts, no longer kept\n")
	p.out.WaitFor(t, " <unknown> later\n")
}

func TestConversationShowsItsOwnLinesOnce(t *testing.T) {
	for name, entryFirst := range map[string]bool{"entry before the answer": true, "answer before the entry": false} {
		t.Run(name, func(t *testing.T) {
			p := startParty(t, false)
			p.keys("mine\n")
			<-p.room.asked
			if entryFirst {
				p.room.say(1, chat.Sent, "mine")
			}
			p.room.answers <- sent{receipt: chat.Receipt{Seq: 1, Peers: 1}}
			if !entryFirst {
				p.room.say(1, chat.Sent, "mine")
			}
			p.room.say(2, chat.Sent, "another's")
			p.out.WaitFor(t, "<you> another's\n")
			p.out.WaitFor(t, "-- sent to 1 peer\n")
			if n := strings.Count(p.out.String(), "mine\n"); n != 1 {
				t.Errorf("shown %d times:\n%s", n, p.out)
			}
		})
	}
}

func TestConversationShowsOthersWhileALineIsOnItsWay(t *testing.T) {
	p := startParty(t, false)
	p.keys("mine\n")
	<-p.room.asked
	p.room.say(1, chat.Received, "theirs")
	p.out.WaitFor(t, "theirs\n")
	p.interrupt()
	p.wantEnd(nil)
	<-p.room.left
	p.out.WaitFor(t, "-- left before it was known whether the last line was sent\n")
}

func TestConversationSendsAllLinesBeforeItEnds(t *testing.T) {
	p := startParty(t, false)
	p.keys("one\n\n  \ntwo\n" + strings.Repeat("x", 1<<17) + "\nthree")
	_ = p.typed.Close()
	for i, want := range []string{"one", "two", "three"} {
		if got := <-p.room.asked; got != want {
			t.Errorf("%q was sent, want %q", got, want)
		}
		p.room.answers <- sent{receipt: chat.Receipt{Seq: uint64(i + 1), Peers: 1}}
	}
	p.wantEnd(nil)
	p.out.WaitFor(t, "-- not sent: the line is too long: at most 65536 bytes can be sent\n")
}

func TestConversationEndsWhenTheRoomOrTheInputFails(t *testing.T) {
	broken := errors.New("broken")
	p := startParty(t, false)
	p.room.texts <- heard{err: broken}
	p.wantEnd(broken)

	p = startParty(t, false)
	_ = p.typed.CloseWithError(broken)
	p.wantEnd(broken)
}

func TestScreenKeepsALineThatIsHalfTyped(t *testing.T) {
	p := startParty(t, true)
	p.keys("half ")
	p.out.WaitFor(t, "> half ")
	p.room.say(1, chat.Received, "hello")
	p.out.WaitFor(t, "<tcp://203.0.113.7:1> hello\r\n> half ")
	p.keys("typed\r")
	if got := <-p.room.asked; got != "half typed" {
		t.Errorf("%q was sent", got)
	}
	p.room.answers <- sent{receipt: chat.Receipt{Seq: 2, Peers: 3}}
	p.out.WaitFor(t, "-- sent to 3 peers\r\n")
	p.room.say(2, chat.Sent, "half typed")
	p.room.say(3, chat.Received, "bye")
	p.out.WaitFor(t, "bye\r\n")
	if strings.Contains(p.out.String(), "<you>") {
		t.Errorf("a line that was typed is shown again:\n%q", p.out)
	}
}

func TestScreenTakesPastedLinesAsTheyAre(t *testing.T) {
	p := startParty(t, true)
	long := strings.Repeat("long ", 2000)
	for i := range 3 {
		p.room.answers <- sent{receipt: chat.Receipt{Seq: uint64(i + 1), Peers: 1}}
	}
	p.keys("\x1b[200~one\r\ntwo\x1b[2J\x03\n" + long + "\nunfinished\x1b[201~")
	for _, want := range []string{"one", "two", long} {
		if got := <-p.room.asked; got != want {
			t.Errorf("%.50q was sent, want %.50q", got, want)
		}
	}
	p.out.WaitFor(t, "> unfinished")
	p.keys("\x15") // away with it
	p.keys("\x04")
	p.wantEnd(nil)
	if strings.Contains(p.out.String(), "\x1b[2J") {
		t.Error("what was pasted steers the terminal")
	}
}

func TestScreenRefusesALineOfWhichTheEditorDropsTheEnd(t *testing.T) {
	p := startParty(t, true)
	p.keys(strings.Repeat("x", 5000) + "\r")
	p.out.WaitFor(t, "-- not sent: the line is too long: at most 4095 characters can be typed; paste it, or use `dchat send -`\r\n")
	p.keys(strings.Repeat("x", 4095) + "\r")
	if got := <-p.room.asked; len(got) != 4095 {
		t.Errorf("%d characters were sent", len(got))
	}
}

func TestCtrlDLeavesWhenAllIsSentAndCtrlCAtOnce(t *testing.T) {
	p := startParty(t, true)
	p.keys("one\rtwo\rthr\x04\x15\x04") // the first Ctrl-D is not on an empty line
	<-p.room.asked
	p.room.answers <- sent{receipt: chat.Receipt{Seq: 1, Peers: 1}}
	<-p.room.asked
	p.room.answers <- sent{receipt: chat.Receipt{Seq: 2, Peers: 1}}
	p.wantEnd(nil)

	p = startParty(t, true)
	p.keys("one\r")
	<-p.room.asked
	p.keys("two\rthr\x03")
	p.wantEnd(nil)
	p.out.WaitFor(t, "left before it was known")
	select {
	case text := <-p.room.asked:
		t.Errorf("%q was sent after Ctrl-C", text)
	default:
	}
}

func TestChat(t *testing.T) {
	d := startDaemon(t)
	d.add("before")
	p := start(t, "chat", "-e", d.endpoint())
	p.Stderr.WaitFor(t, ": 1 peer connected\n")
	p.typeLine("hello")
	p.Stderr.WaitFor(t, "-- sent to 1 peer\n")
	d.add("answer")
	p.Stdout.WaitFor(t, "> answer\n")

	again := d.restart()
	p.Stderr.WaitFor(t, "-- lost the daemon at tcp://127.0.0.1:")
	p.Stderr.WaitFor(t, "-- connected again; the daemon was restarted")
	p.typeLine("still here")
	p.Stdout.WaitFor(t, "<you> still here\n")
	again.add("me too")
	p.Stdout.WaitFor(t, "> me too\n")
	again.mu.Lock()
	again.peers = nil
	again.mu.Unlock()
	p.typeLine("alone")
	p.Stderr.WaitFor(t, "-- nobody is connected: not sent\n")
	_ = p.stdin.Close()
	p.WantExit(exitNobody)
	if strings.Contains(p.Stdout.String(), "before") {
		t.Errorf("it shows what was said before:\n%s", p.Stdout)
	}
}

func TestChatSaysThatNothingIsSentWhileTheDaemonIsAway(t *testing.T) {
	d := startDaemon(t)
	p := start(t, "chat", "-e", d.endpoint())
	p.Stderr.WaitFor(t, "connected\n")
	d.add("one")
	p.Stdout.WaitFor(t, "> one\n")
	d.stop()
	p.Stderr.WaitFor(t, "-- lost the daemon")
	p.typeLine("hello")
	p.Stderr.WaitFor(t, "-- not sent: no daemon at tcp://127.0.0.1:")
	p.End()
	p.WantExit(exitUnreachable)
}
