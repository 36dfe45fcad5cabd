package client

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "hello, world", "hello, world"},
		{"letters of all kinds", "żółw 日本語 🐢 ñ", "żółw 日本語 🐢 ñ"},
		{"emoji held together by joiners", "👩\u200d👧", "👩\u200d👧"},
		{"escape sequence", "\x1b[2Jgone", `\u001b[2Jgone`},
		{"control sequence introducer in one character", "\u009b2J", `\u009b2J`},
		{"bell, backspace and delete", "\a\b\x7f", `\u0007\u0008\u007f`},
		{"line ends", "a\nb\r\nc\rd\u2028e", "a⏎b⏎c⏎d⏎e"},
		{"tab", "a\tb", "a    b"},
		{"other spaces", "a\u00a0b\u3000c", "a b c"},
		{"direction of writing", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`},
		{"invisible tag above the first plane", "\U000e0041", `\udb40\udc41`},
		{"bytes that are not UTF-8", "a\xff\xc3b", "a\ufffd\ufffdb"},
		{"empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := escape(test.text); got != test.want {
				t.Errorf("escape(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func hostileTexts(f *testing.F) {
	for _, text := range []string{"plain", "\x1b]0;title\a", "\x00\x9b\xff", "\u202egnp.exe", "\r\n\r", "👩\u200d👧", "\U000e0041\U0010ffff", `\u001b`} {
		f.Add(text)
	}
}

func FuzzEscape(f *testing.F) {
	hostileTexts(f)
	f.Fuzz(func(t *testing.T, text string) {
		got := escape(text)
		if !utf8.ValidString(got) || strings.IndexFunc(got, unprintable) >= 0 {
			t.Errorf("escape(%q) = %q: not safe to print", text, got)
		}
		if again := escape(got); again != got {
			t.Errorf("escape(%q) = %q, and of that %q", text, got, again)
		}
	})
}

func FuzzEscapeJSON(f *testing.F) {
	hostileTexts(f)
	f.Fuzz(func(t *testing.T, text string) {
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := escapeJSON(string(line))
		if strings.IndexFunc(got, unprintable) >= 0 {
			t.Errorf("%q is not safe to print", got)
		}
		var before, after string
		if err := json.Unmarshal(line, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil || after != before {
			t.Errorf("%s means %q, want %q (%v)", got, after, before, err)
		}
	})
}
