package costtest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// recorder keeps what a test fails by.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// TestCheck: what is too long each time is found by name, and what is so by chance is not.
func TestCheck(t *testing.T) {
	long := time.Duration(20 * float64(time.Millisecond) * Slowness())
	spin := func(d time.Duration) func() {
		return func() {
			for from := threadTime(t); threadTime(t)-from < d; {
			}
		}
	}
	for _, tt := range []struct {
		name, want string
		slow       func(pass, work int) bool
		passes     int
	}{
		{"nothing", "", func(pass, work int) bool { return false }, 1},
		{"once", "", func(pass, work int) bool { return pass == 1 && work == 1 }, 2},
		{"another each time", "", func(pass, work int) bool { return pass%3 == work }, 2},
		{"the same", "work (2) takes", func(pass, work int) bool { return work == 1 }, passes},
	} {
		r := &recorder{TB: t}
		pass := 0
		Check(r, 10*time.Millisecond, func(measure Measure) {
			pass++
			for work := range 3 {
				d := time.Duration(0)
				if tt.slow(pass, work) {
					d = long
				}
				measure("work", spin(d))
			}
		})
		if got := strings.Join(r.errors, "\n"); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") || pass < tt.passes {
			t.Errorf("%s: %d passes, %q, want %q", tt.name, pass, got, tt.want)
		}
	}
	t.Logf("%.1f times as slow", Slowness())
}
