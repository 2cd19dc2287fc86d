//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu"
	"alpinevm/cpu/jit"
)

// Attach gives c a translator, which serves blocks that the interpreter has
// executed threshold times. Whoever closes the translator attaches nothing
// before. It says why the host cannot have one.
func Attach(c *cpu.CPU, threshold uint8, cfg jit.Config) (*jit.Translator, error) {
	t, err := New(c, cfg)
	if err != nil {
		return nil, err
	}
	tr := jit.New(c, t, cfg)
	c.Attach(tr, threshold)
	return tr, nil
}
