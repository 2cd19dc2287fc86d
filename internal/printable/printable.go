// Package printable makes text that somebody else wrote (a guest, an image, a
// server) fit to be shown on a terminal: none of it is taken for a command.
package printable

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text gives s with everything that is neither a letter, a digit, a sign, a
// space, a tab nor a line feed as Go writes it in a string: an escape is \x1b, a
// C1 control \u009b, a mark that turns the direction of writing around \u202e,
// and a byte that is no UTF-8 \xff. Carriage returns before line feeds go.
func Text(s string) string {
	clean := func(r rune, n int) bool {
		return r == '\n' || r == '\t' || strconv.IsPrint(r) && (r != utf8.RuneError || n > 1)
	}
	var b strings.Builder
	for len(s) > 0 {
		if rest := strings.TrimLeft(s, "\r"); rest != s {
			if !strings.HasPrefix(rest, "\n") {
				b.WriteString(strings.Repeat(`\r`, len(s)-len(rest)))
			}
			s = rest
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case clean(r, n):
			b.WriteString(s[:n])
		case r == utf8.RuneError:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|1<<8, 16)[1:])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}
