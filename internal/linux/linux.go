// Package linux is how a session is put before a Linux guest: the initial root
// file system that starts it, whom and what it runs as, where volumes are mounted,
// which drivers are loaded and how v9fs, Linux's client of 9P, is to be used. It
// holds no machine: what it makes is bytes and descriptions.
package linux

// FieldError is an error about a field of what describes the session.
type FieldError struct {
	Field string // "Root"
	Err   error
}

// Error names the field.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap gives the error without the field.
func (e *FieldError) Unwrap() error { return e.Err }
