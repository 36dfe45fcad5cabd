package wire_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"dchat/p2p/wire"
)

func TestErrorsAreOneShortLineOfPrintableText(t *testing.T) {
	printable := regexp.MustCompile(`^[ -~]*$`)
	commands := []string{
		"", "ping", "\x00", "a\nb\r\x1b[31m", "\xff\xfe", "\u202egnip\u200b", `quoted "x"`,
		strings.Repeat("c", 255), strings.Repeat("\x00", 255), strings.Repeat("\U0001f980", 63), "x" + strings.Repeat("\xbf", 254),
	}
	for _, command := range commands {
		err := &wire.Error{Kind: wire.UnknownCommand, Command: command, Reason: "no protocol of this channel speaks it"}
		if line := err.Error(); !printable.MatchString(line) || len(line) > 200 || len(wire.EscapeCommand(command)) > 120 {
			t.Errorf("%q makes a line of %d bytes: %s", command, len(line), line)
		}
	}
}

func TestEscapedCommandsAreQuotedAndCut(t *testing.T) {
	for command, want := range map[string]string{
		"ping":                                  `"ping"`,
		"a\x00\n\xffé":                          `"a\x00\n\xff\u00e9"`,
		strings.Repeat("x", 24):                 `"` + strings.Repeat("x", 24) + `"`,
		strings.Repeat("x", 25):                 `"` + strings.Repeat("x", 24) + `"... (25 bytes)`,
		strings.Repeat("x", 23) + "éé":          `"` + strings.Repeat("x", 23) + `"... (27 bytes)`,
		strings.Repeat("x", 20) + "\U0001f980y": `"` + strings.Repeat("x", 20) + `\U0001f980"... (25 bytes)`,
	} {
		if got := wire.EscapeCommand(command); got != want {
			t.Errorf("%q is shown as %s, want %s", command, got, want)
		}
	}
}

func TestErrorsAreFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("channel 7: %w", new(wire.Ping).Decode([]byte{1, 2, 3}))
	var fault *wire.Error
	if !errors.As(err, &fault) || fault.Kind != wire.BadPayload || fault.Command != "ping" {
		t.Fatalf("found %+v in %v", fault, err)
	}
	if want := `wire: invalid payload "ping": byte 2 of 3: data left over: 1 bytes`; fault.Error() != want {
		t.Errorf("text %s, want %s", fault, want)
	}
}

func TestEveryKindHasWords(t *testing.T) {
	seen := map[string]bool{}
	for kind := wire.BadMagic; kind <= wire.Mismatch; kind++ {
		words := kind.String()
		if seen[words] || strings.Contains(words, "kind") {
			t.Errorf("kind %d is called %q", kind, words)
		}
		seen[words] = true
	}
	if got := wire.Kind(200).String(); got != "unknown kind 200" {
		t.Errorf("kind 200 is called %q", got)
	}
}
