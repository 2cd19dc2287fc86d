// Package vmtest gives a test a guest of its own: what the test does to it no other
// test sees.
//
//	func TestInstall(t *testing.T) {
//		vmtest.Run(t, "alpine:3.20", func(t *testing.T, vm *launch.VM) {
//			if err := vm.Command("apk", "add", "git").Run(); err != nil {
//				t.Error(err)
//			}
//		})
//	}
package vmtest

import (
	"bytes"
	"sync"
	"testing"

	"alpinevm/launch"
)

// Run runs f as a subtest with a guest of the image that has just started, as
// launch.Start makes it. The subtest is parallel to others. Its guest is switched
// off at its end; if it has failed, the end of the kernel's log is shown.
func Run(t *testing.T, image string, f func(t *testing.T, vm *launch.VM), options ...launch.Option) {
	t.Helper()
	t.Run("vm", func(t *testing.T) {
		t.Parallel()
		f(t, Start(t, image, options...))
	})
}

// Start gives a test or a benchmark a guest, which is switched off at its end.
func Start(t testing.TB, image string, options ...launch.Option) *launch.VM {
	t.Helper()
	log := &tail{}
	options = append(options, launch.With(func(s *launch.Spec) {
		if s.Config.Consoles.Serial == nil {
			s.Config.Consoles.Serial = log
		}
	}))
	vm, err := launch.Start(t.Context(), image, options...)
	if err != nil {
		t.Fatalf("vmtest: %v\n%s", err, log)
	}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Errorf("vmtest: %v", err)
		}
		if text := log.String(); t.Failed() && text != "" {
			t.Logf("the guest's console:\n%s", text)
		}
	})
	return vm
}

// tailSize is how much of the console is kept, in bytes.
const tailSize = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if over := len(l.b) - tailSize; over > 0 {
		l.b = append(l.b[:0], l.b[over:]...)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.ReplaceAll(l.b, []byte("\r"), nil))
}
