//go:build !(js && web)

package wasm

import (
	"errors"

	"alpinevm/cpu"
)

var errHost = errors.New("translated code is WebAssembly in a browser alone, where the program is made by make web")

// Supported says why the host cannot run translated code.
func Supported() error { return errHost }

// Run says that there is no browser to run it.
func Run(*cpu.CPU, bool) (*Translator, error) { return nil, errHost }
