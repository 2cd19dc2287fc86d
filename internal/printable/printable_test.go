package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain text, 100 %":         "plain text, 100 %",
		"two\nlines\tand a tab":     "two\nlines\tand a tab",
		"a log\r\nof a terminal":    "a log\nof a terminal",
		"a tty's\r\r\nlog\r\r":      `a tty's` + "\nlog" + `\r\r`,
		"over\rwritten":             `over\rwritten`,
		"\x1b]0;title\a\x1b[2J":     `\x1b]0;title\a\x1b[2J`,
		"\x00\b\x7f":                `\x00\b\x7f`,
		"\u009b31m":                 `\u009b31m`,
		"\x9b31m":                   `\x9b31m`,
		"half a letter \xc3":        `half a letter \xc3`,
		"naïve 文字 ☺ \U0001f600":     "naïve 文字 ☺ \U0001f600",
		"\u202egnp.exe \u2066x":     `\u202egnp.exe \u2066x`,
		"zero\u200bwidth \ufeff":    `zero\u200bwidth \ufeff`,
		"the sign itself: \ufffd":   "the sign itself: \ufffd",
		"no\u00a0break, line\u2028": `no\u00a0break, line\u2028`,
		"private \ue000":            `private \ue000`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestTextTwice: all bytes and letters there are, and what is printable stays.
func TestTextTwice(t *testing.T) {
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	for r := rune(0); r <= 0x11000; r++ {
		all.WriteRune(r)
	}
	once := Text(all.String())
	if again := Text(once); again != once || !utf8.ValidString(once) {
		t.Error("what was made printable is not")
	}
	for _, r := range once {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			t.Fatalf("%U got through", r)
		}
	}
}
