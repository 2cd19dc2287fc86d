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
	engine := flag.String("engine", "", "the engine to test: interpreter, translator; empty: both")
	flag.Parse()
	code := 0
	if *engine != "translator" {
		code = m.Run()
	}
	if *engine != "interpreter" && code == 0 && !*record {
		if err := amd64.Supported(); err != nil {
			fmt.Println("engine translator: not here:", err)
		} else {
			attach = translate
			code = m.Run()
		}
	}
	os.Exit(code)
}

// translate makes the tests run on translated code from the first instruction
// on, with flags that are exact at every fault.
func translate(c *cpu.CPU) (func(), error) {
	t, err := amd64.Attach(c, 0, jit.Config{Strict: true})
	if err != nil {
		return nil, err
	}
	return func() {
		c.Attach(nil, 0)
		_ = t.Close()
	}, nil
}
