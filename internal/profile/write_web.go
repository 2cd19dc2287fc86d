//go:build web

package profile

import (
	"errors"
	"io"
)

// Write is a page's, which makes no profiles: pprof's form of them would be a part of what
// everybody loads, and cost each start its regular expressions.
func (p *Profile) Write(io.Writer) error { return errors.New("a page makes no profile of its guest") }
