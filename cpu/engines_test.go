package cpu_test

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
	if *engine != "interpreter" && code == 0 {
		if err := useTranslator(); err != nil {
			fmt.Println("no translator here:", err)
		} else {
			code = m.Run()
		}
	}
	os.Exit(code)
}

// useTranslator makes the tests run on translated code from the first
// instruction on.
func useTranslator() error {
	if err := amd64.Supported(); err != nil {
		return err
	}
	cpu.SetTestEngine(func(t testing.TB, c *cpu.CPU) {
		tr, err := amd64.Attach(c, 0, jit.Config{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.Attach(nil, 0)
			_ = tr.Close()
		})
	})
	return nil
}
