package client

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dchat/app/internal/apptest"
)

// newTerminal makes a terminal: what is written to keys is typed on it, and what it
// shows can be read from there.
func newTerminal(t *testing.T) (keys, terminal *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	number := 0
	control(t, keys, func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		}
		return err
	})
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	resize(t, keys, 80)
	return keys, terminal
}

// control does something to a file without making its reads block the process.
func control(t *testing.T, f *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

func resize(t *testing.T, keys *os.File, width uint16) {
	t.Helper()
	control(t, keys, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width})
	})
}

func mode(t *testing.T, terminal *os.File) (m unix.Termios) {
	t.Helper()
	control(t, terminal, func(fd int) error {
		got, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			m = *got
		}
		return err
	})
	return m
}

func TestChatOnATerminalLeavesItAsItWas(t *testing.T) {
	for name, leave := range map[string]func(p *process, keys *os.File){
		"Ctrl-C":   func(_ *process, keys *os.File) { _, _ = io.WriteString(keys, "half typed\x03") },
		"Ctrl-D":   func(_ *process, keys *os.File) { _, _ = io.WriteString(keys, "\x04") },
		"a signal": func(p *process, _ *os.File) { p.End() },
		"an error": func(_ *process, _ *os.File) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t)
			keys, terminal := newTerminal(t)
			before := mode(t, terminal)
			shown := apptest.NewOutput()
			shows := make(chan struct{})
			go func() {
				defer close(shows)
				_, _ = io.Copy(shown, keys)
			}()

			p := startOn(t, terminal, terminal, "chat", "-e", d.endpoint())
			shown.WaitFor(t, "-- type a line to send it; Ctrl-D leaves\r\n")
			if raw := mode(t, terminal); raw.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 {
				t.Error("the terminal is not raw")
			}
			_, _ = io.WriteString(keys, "hello\r")
			shown.WaitFor(t, "-- sent to 1 peer\r\n")
			code := exitDone
			if name == "an error" {
				code = exitFailed
				d.replaceByStranger()
			}
			leave(p, keys)
			p.WantExit(code)
			if after := mode(t, terminal); after != before {
				t.Errorf("its mode is %+v, and was %+v", after, before)
			}
			shown.WaitFor(t, "\x1b[?2004l\r\n")
			if on, off := strings.Count(shown.String(), "\x1b[?2004h"), strings.Count(shown.String(), "\x1b[?2004l"); on != 1 || off != 1 {
				t.Errorf("marking of pastes was switched on %d times and off %d times", on, off)
			}
			_, _ = io.WriteString(keys, "\n") // ends the read that may be under way
			_ = terminal.Close()
			_ = keys.Close()
			<-shows
		})
	}
}

func TestScreenFollowsTheSizeOfTheTerminal(t *testing.T) {
	keys, terminal := newTerminal(t)
	shown := apptest.NewOutput()
	go func() { _, _ = io.Copy(shown, keys) }()
	s, restore, err := openScreen(terminal, terminal, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	typed := readLines(t.Context(), s.line)
	_, _ = io.WriteString(keys, strings.Repeat("x", 30))
	shown.WaitFor(t, "> "+strings.Repeat("x", 30))
	resize(t, keys, 20)
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil { // the kernel tells only those whose terminal it is
		t.Fatal(err)
	}
	shown.WaitFor(t, "> "+strings.Repeat("x", 18)+"\r\n"+strings.Repeat("x", 12))
	_, _ = io.WriteString(keys, "y\r\x04")
	select {
	case line := <-typed:
		if line.text != strings.Repeat("x", 30)+"y" {
			t.Errorf("got %+v", line)
		}
	case <-time.After(apptest.Patience):
		t.Fatalf("the screen shows %q", shown)
	}
	<-typed
}

func TestChatOnATerminalBeginsWithTheLastTexts(t *testing.T) {
	d := startDaemon(t)
	for i := range 30 {
		d.add(fmt.Sprint("before ", i))
	}
	keys, terminal := newTerminal(t)
	shown := apptest.NewOutput()
	go func() { _, _ = io.Copy(shown, keys) }()
	p := startOn(t, terminal, terminal, "chat", "-e", d.endpoint())
	shown.WaitFor(t, "> before 29\r\n")
	_, _ = io.WriteString(keys, "\x04")
	p.WantExit(exitDone)
	if n := strings.Count(shown.String(), "> before "); n != shownBefore {
		t.Errorf("%d texts of before are shown, want %d", n, shownBefore)
	}
}

func TestLocalnetOnATerminal(t *testing.T) {
	keys, terminal := newTerminal(t)
	shown := apptest.NewOutput()
	go func() { _, _ = io.Copy(shown, keys) }()
	p := startOn(t, terminal, terminal, "localnet", "--nodes", "2")
	shown.WaitFor(t, "Ctrl-D leaves\r\n")
	_, _ = io.WriteString(keys, "hello\r")
	shown.WaitFor(t, "> node 2 got “hello” after ")
	_, _ = io.WriteString(keys, "\x04")
	p.WantExit(exitDone)
}
