package fs9p

import (
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	for want, m := range map[string]Message{
		"tag 7 Tclunk {Fid:3}":                                 &Tclunk{Fid: 3},
		"tag 7 Rlerror ENOENT":                                 &Rlerror{Errno: 2},
		"tag 7 Twrite {Fid:1 Offset:2 2 bytes: \"hi\"}":        &Twrite{Fid: 1, Offset: 2, Data: []byte("hi")},
		"tag 7 Rread {0 bytes: \"\"}":                          &Rread{},
		"tag 7 malformed":                                      nil,
		`tag 7 Twalk {Fid:1 NewFid:2 Names:["a" "\x1b[2J\n"]}`: &Twalk{Fid: 1, NewFid: 2, Names: []string{"a", "\x1b[2J\n"}},
		`tag 7 Tversion {Msize:1 Version:"\u009b"}`:            &Tversion{Msize: 1, Version: "\u009b"},
	} {
		if got := Describe(7, m); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	long := Describe(0, &Rreaddir{Data: make([]byte, 100_000)})
	if len(long) > 300 || !strings.HasPrefix(long, "tag 0 Rreaddir {100000 bytes: ") {
		t.Errorf("%.400s", long)
	}
}
