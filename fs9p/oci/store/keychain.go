package store

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
)

// lenient asks for an image without credentials where they cannot be had, as
// docker does: a credential helper that is not installed is no reason against a
// public image. It keeps the error for the case that they were needed.
type lenient struct {
	authn.Keychain
	err error
}

// Resolve is part of authn.Keychain.
func (l *lenient) Resolve(r authn.Resource) (authn.Authenticator, error) {
	a, err := l.Keychain.Resolve(r)
	if err != nil {
		l.err = err
		return authn.Anonymous, nil
	}
	return a, nil
}

// helperError is an error behind which there may be credentials that could not
// be had.
type helperError struct{ error, helper error }

func (e *helperError) Unwrap() error { return e.error }

func (e *helperError) Error() string { return fmt.Sprintf("%v (credentials: %v)", e.error, e.helper) }
