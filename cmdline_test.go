package alpinevm

import (
	"strings"
	"testing"
)

func TestDefaultCmdline(t *testing.T) {
	words := func(s string) map[string]bool {
		m := map[string]bool{}
		for _, w := range strings.Fields(s) {
			m[w] = true
		}
		return m
	}
	all := words(DefaultCmdline)
	for _, least := range leastFirst {
		n := 0
		for w := range all {
			if strings.HasPrefix(w, least) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q begins %d words of DefaultCmdline", least, n)
		}
	}
	if len(leastFirst) != len(all) {
		t.Errorf("%d of %d words can be left out", len(leastFirst), len(all))
	}
	for _, tt := range []struct {
		added string
		room  int
		with  []string
		less  []string // without these
	}{
		{"", 2047, nil, nil},
		{"root=/dev/sda", 2047, nil, nil},
		{"", 255, []string{"console=ttyS0", "panic=-1", "mitigations=off", "kfence.sample_interval=0"}, []string{"initcall_blacklist="}},
		{strings.Repeat("a", 150), 255, []string{"console=ttyS0", "panic=-1", "tsc=reliable"}, []string{"initcall_blacklist=", "kfence."}},
		{strings.Repeat("a", 230), 255, []string{"console=ttyS0", "panic=-1"}, []string{"quiet", "tsc="}},
		{strings.Repeat("a", 255), 255, nil, []string{"console=", "panic=", "quiet"}},
		{strings.Repeat("a", 256), 255, nil, []string{"console="}},
	} {
		got := defaultCmdline(tt.added, tt.room)
		if len(got) > tt.room && got != tt.added || !strings.HasSuffix(got, tt.added) || len(tt.less) == 0 && got != strings.TrimSpace(DefaultCmdline+" "+tt.added) {
			t.Errorf("%d bytes in %d: %q", len(tt.added), tt.room, got)
		}
		for _, w := range tt.with {
			if !words(got)[w] {
				t.Errorf("%d bytes in %d: no %s in %q", len(tt.added), tt.room, w, got)
			}
		}
		for _, w := range tt.less {
			if strings.Contains(got, w) {
				t.Errorf("%d bytes in %d: %s is in %q", len(tt.added), tt.room, w, got)
			}
		}
	}
}
