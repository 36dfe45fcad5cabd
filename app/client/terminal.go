package client

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is a terminal in raw mode on which a line is edited while others' lines
// appear above it.
type screen struct{ editor *term.Terminal }

// newScreen makes a screen; Ctrl-C calls interrupt.
func newScreen(keys io.Reader, out io.Writer, interrupt func()) screen {
	return screen{term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&keyReader{source: keys, interrupt: interrupt}, out}, "> ")}
}

// line waits for the next line; io.EOF is Ctrl-D on an empty line, or Ctrl-C.
func (s screen) line() (string, error) {
	// The editor drops what is typed beyond this, without a word.
	const mostTyped = 4096
	text, err := s.editor.ReadLine()
	switch {
	case err == term.ErrPasteIndicator: //nolint:errorlint // it is what is returned, and no error
		return text, nil
	case err == nil && utf8.RuneCountInString(text) == mostTyped:
		return "", fmt.Errorf("%w: at most %d characters can be typed; paste it, or use `dchat send -`", errLineTooLong, mostTyped-1)
	default:
		return text, err
	}
}

// Write shows lines above the one that is being edited.
func (s screen) Write(lines []byte) (int, error) {
	// The editor counts a column for every character: where there are wide ones it
	// would begin the line too far right.
	const clearLine = "\r\x1b[K"
	n, err := s.editor.Write(append([]byte(clearLine), lines...))
	return max(0, n-len(clearLine)), err
}

func (s screen) console() console {
	return console{lines: s.line, texts: s, notes: s, interactive: true}
}

// asTerminal returns v when it is a terminal.
func asTerminal(v any) (*os.File, bool) {
	f, ok := v.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// openScreen makes a screen of a terminal; Ctrl-C calls interrupt. Restore gives the
// terminal back as it was.
func openScreen(in, out *os.File, interrupt func()) (s screen, restore func(), err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return screen{}, nil, fmt.Errorf("cannot use the terminal: %w", err)
	}
	s = newScreen(in, out, interrupt)
	fit := func() {
		if width, height, err := term.GetSize(int(out.Fd())); err == nil {
			_ = s.editor.SetSize(width, height) // an error is that of drawing, and the next drawing has it too
		}
	}
	fit()
	ignore := watchSize(fit)
	s.editor.SetBracketedPasteMode(true)
	return s, func() {
		ignore()
		s.editor.SetBracketedPasteMode(false)
		_, _ = io.WriteString(out, "\r\n") // away from the prompt
		_ = term.Restore(int(in.Fd()), before)
	}, nil
}
