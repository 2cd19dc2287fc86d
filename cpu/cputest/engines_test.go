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
)

// TestMain runs all tests of the package on each engine.
func TestMain(m *testing.M) {
	engine := flag.String("engine", "", "the engine to test: interpreter, translator, old processor (the translator as for one); empty: all")
	flag.Parse()
	code := 0
	for _, name := range []string{"interpreter", "translator", "old processor"} {
		if code != 0 || *engine != "" && *engine != name || *record && name != "interpreter" {
			continue
		}
		if name != "interpreter" {
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
