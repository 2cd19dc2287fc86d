//go:build !linux || !amd64

package cputest

// Silicon runs cases on the host's processor. This host cannot.
type Silicon struct{}

// NewSilicon says that the host cannot run 32-bit x86 programs under Linux.
func NewSilicon(string) (*Silicon, error) {
	return nil, ErrNoSilicon
}

// Mode16 is never called.
func (*Silicon) Mode16() error { panic("BUG: no silicon") }

// Host is never reached.
func (*Silicon) Host() Host { panic("BUG: no silicon") }

// Run is never reached.
func (*Silicon) Run([]Case, []Outcome) error { panic("BUG: no silicon") }

// Close does nothing.
func (*Silicon) Close() {}
