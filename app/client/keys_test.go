package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
)

func TestKeyReaderPassesOnlyWhatTheEditorUnderstands(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"letters", "héllo 日本語\r", "héllo 日本語\r"},
		{"control keys", "\x01\x05\x7f\x04", "\x01\x05\x7f\x04"},
		{"arrows", "\x1b[A\x1b[D", "\x1b[A\x1b[D"},
		{"arrows of application mode", "\x1bOA\x1bOD", "\x1b[A\x1b[D"},
		{"Home and End, as three kinds of terminals send them", "\x1b[H\x1b[1~\x1b[7~\x1b[F\x1b[4~\x1b[8~", "\x1b[H\x1b[H\x1b[H\x1b[F\x1b[F\x1b[F"},
		{"a word on and back, with Ctrl", "\x1b[1;5C\x1b[1;5D", "\x1b[1;3C\x1b[1;3D"},
		{"function keys", "\x1bOP\x1b[15~\x1b[[Ax", "Ax"},
		{"Alt and a letter", "\x1bbx", "x"},
		{"escape, then Enter", "\x1b\r", "\r"},
		{"a sequence that never ends", "\x1b[" + strings.Repeat("0", 40) + "x", strings.Repeat("0", 40) + "x"},
		{"a sequence broken off by another", "\x1b[12\x1b[Ax", "\x1b[Ax"},
		{"control characters above ASCII", "a\u009bb", "ab"},
		{"bytes that are not UTF-8", "a\xffb\xc3", "a?b?"},
		{"pasted lines", "\x1b[200~one\r\ntwo\x1b[201~", "\x1b[200~one\r\ntwo\x1b[201~"},
		{"pasted escape sequences and control characters", "\x1b[200~a\x1b[31mb\x1bc\x03\x04\x07\x7fd\x1b[201~\x05", "\x1b[200~abcd\x1b[201~\x05"},
		{"pasted tab", "\x1b[200~\tx\x1b[201~", "\x1b[200~    x\x1b[201~"},
		{"end of a paste that never began", "\x1b[201~x", "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, source := range map[string]io.Reader{
				"at once":        strings.NewReader(test.in),
				"byte by byte":   iotest.OneByteReader(strings.NewReader(test.in)),
				"data and error": iotest.DataErrReader(strings.NewReader(test.in)),
			} {
				got, err := io.ReadAll(&keyReader{source: source, interrupt: func() {}})
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != test.want {
					t.Errorf("%s: %q gives %q, want %q", name, test.in, got, test.want)
				}
			}
		})
	}
}

func TestKeyReaderInterruptsForCtrlCButNotInAPaste(t *testing.T) {
	interrupts := 0
	keys := &keyReader{source: strings.NewReader("\x1b[200~a\x03b\x1b[201~"), interrupt: func() { interrupts++ }}
	if _, err := io.ReadAll(keys); err != nil || interrupts != 0 {
		t.Errorf("a paste interrupted %d times (%v)", interrupts, err)
	}
	keys = &keyReader{source: strings.NewReader("a\x03"), interrupt: func() { interrupts++ }}
	if _, err := io.ReadAll(keys); err != nil || interrupts != 1 {
		t.Errorf("Ctrl-C interrupted %d times (%v)", interrupts, err)
	}
}

// Whatever the keys are, the editor comes to their end and nothing of theirs but
// its own sequences steers the terminal.
func FuzzScreen(f *testing.F) {
	for _, keys := range []string{"hello\r", "\x1b[200~a\x1b[31m\tb\nc\x1b[201~\r", "\x1b[A\x1b[B\x1b[1;5D\x7f\r", "\x1b[" + strings.Repeat("1", 300), "\xff\xc3\x80\u009b"} {
		f.Add(keys)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		var out strings.Builder
		s := newScreen(strings.NewReader(keys), &out, func() {})
		for {
			text, err := s.line()
			if errors.Is(err, errLineTooLong) {
				continue
			}
			if err != nil {
				break
			}
			if strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("keys %q give the line %q", keys, text)
			}
		}
		for _, sequence := range strings.Split(out.String(), "\x1b")[1:] {
			rest := strings.TrimLeft(sequence, "[0123456789")
			if rest == "" || !strings.ContainsRune("ABCDKHJ", rune(rest[0])) {
				t.Errorf("keys %q put %q on the screen", keys, out.String())
			}
		}
	})
}
