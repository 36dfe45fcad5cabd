package client

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"
)

// keyReader stands between a terminal and the line editor of x/term, and passes on
// only what the editor understands: it would take keys it does not know for text,
// or for the beginning of something that never ends, and put the control
// characters of a pasted text on the screen.
type keyReader struct {
	source    io.Reader
	interrupt func() // called for Ctrl-C, before the editor sees it
	in        []byte // read, and not understood yet
	out       []byte // to be passed on
	pasting   bool
	err       error // of source
}

// Read returns keys; none of what the source had before its error is lost.
func (k *keyReader) Read(p []byte) (int, error) {
	var buf [256]byte
	for len(k.out) == 0 {
		if k.err != nil {
			return 0, k.err
		}
		var n int
		n, k.err = k.source.Read(buf[:])
		k.in = append(k.in, buf[:n]...)
		for k.take() {
		}
	}
	n := copy(p, k.out)
	k.out = k.out[n:]
	return n, nil
}

const (
	interruptKey = 0x03
	escapeKey    = 0x1b
)

// take moves one key from in to out; false when there is none, or a part of one.
func (k *keyReader) take() bool {
	if len(k.in) == 0 {
		return false
	}
	if k.in[0] == escapeKey {
		return k.takeEscape()
	}
	if !utf8.FullRune(k.in) && k.err == nil {
		return false
	}
	r, size := utf8.DecodeRune(k.in)
	if r == interruptKey && !k.pasting {
		k.interrupt()
	}
	switch {
	case r == utf8.RuneError:
		k.out = append(k.out, '?')
	case k.pasting && r == '\t':
		k.out = append(k.out, "    "...)
	case !unicode.IsControl(r), r == '\r', r == '\n', !k.pasting && r < utf8.RuneSelf:
		k.out = append(k.out, k.in[:size]...)
	}
	k.in = k.in[size:]
	return true
}

// takeEscape takes what begins with an escape character: "ESC [ parameters letter",
// "ESC O letter", or a key pressed together with Alt. In what is pasted only the
// end of it counts.
func (k *keyReader) takeEscape() bool {
	if len(k.in) < 2 {
		return false
	}
	switch c := k.in[1]; {
	case c == '[':
		const longest = 32
		end := bytes.IndexFunc(k.in[2:min(len(k.in), longest)], func(r rune) bool { return r < 0x20 || r > 0x3f })
		if end < 0 && len(k.in) < longest {
			return false
		}
		if end >= 0 && k.in[2+end] >= 0x40 && k.in[2+end] <= 0x7e { // else it is broken off
			k.pass(string(k.in[2 : 3+end]))
			end++
		}
		k.in = k.in[2+max(end, 0):]
	case c == 'O' && !k.pasting:
		if len(k.in) < 3 {
			return false
		}
		k.pass(string(k.in[2:3]))
		k.in = k.in[3:]
	case c >= 0x20 && c < 0x7f && !k.pasting:
		k.in = k.in[2:]
	default:
		k.in = k.in[1:]
	}
	return true
}

// pass passes on a key by what stands behind "ESC [" for it.
func (k *keyReader) pass(key string) {
	if k.pasting && key != pasteEnd {
		return
	}
	switch key {
	case "A", "B", "C", "D", "H", "F", "3~": // the arrows, Home, End, Delete
	case "1~", "7~":
		key = "H"
	case "4~", "8~":
		key = "F"
	case "1;3C", "1;5C": // a word on, with Alt or Ctrl
		key = "1;3C"
	case "1;3D", "1;5D":
		key = "1;3D"
	case pasteBegin:
		k.pasting = true
	case pasteEnd:
		if !k.pasting {
			return
		}
		k.pasting = false
	default:
		return
	}
	k.out = append(append(k.out, escapeKey, '['), key...)
}

// How a terminal marks the two ends of what is pasted, behind "ESC [".
const (
	pasteBegin = "200~"
	pasteEnd   = "201~"
)
