//go:build !(linux && amd64)

package amd64

import (
	"errors"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
)

var errHost = errors.New("no translator for this kind of host")

// Supported says why the host cannot run translated code.
func Supported() error { return errHost }

// Lacks is for hosts with a translator.
func Lacks() string { return "" }

// Attach says that there is no translator for this host.
func Attach(*cpu.CPU, uint8, jit.Config) (*jit.Translator, error) {
	return nil, errHost
}
