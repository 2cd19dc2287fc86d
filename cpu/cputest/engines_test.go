//go:build linux && amd64

package cputest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
	"alpinevm/cpu/jit/wasm"
	"alpinevm/cpu/jit/wasm/wasmtest"
)

// TestMain runs all tests of the package on each engine.
func TestMain(m *testing.M) {
	engine := flag.String("engine", "", "the engine to test: interpreter, translator, old processor (the translator as for one), wasm; empty: all")
	flag.Parse()
	code := 0
	for _, name := range []string{"interpreter", "translator", "old processor", "wasm"} {
		if code != 0 || *engine != "" && *engine != name || *record && name != "interpreter" {
			continue
		}
		switch name {
		case "interpreter":
		case "wasm":
			attach = inWasm
		default:
			if err := amd64.Supported(); err != nil {
				fmt.Printf("engine %s: not here: %v\n", name, err)
				continue
			}
			attach = translate(jit.Config{Strict: true, Eager: true, Plain: name == "old processor"})
		}
		code = m.Run()
	}
	os.Exit(code)
}

// translate makes the tests run on translated code from the first instruction
// on, with flags that are exact at every fault.
func translate(cfg jit.Config) func(*cpu.CPU) (func(), error) {
	return func(c *cpu.CPU) (func(), error) {
		t, err := amd64.Attach(c, 0, cfg)
		if err != nil {
			return nil, err
		}
		return func() {
			c.Attach(nil, 0)
			_ = t.Close()
		}, nil
	}
}

// inWasm makes them run on code for WebAssembly.
func inWasm(c *cpu.CPU) (func(), error) {
	_, detach, err := wasmtest.Attach(c, false, wasm.Config{Strict: true, Eager: true, Blocks: 8, Regions: 1})
	return detach, err
}
