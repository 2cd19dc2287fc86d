//go:build linux && amd64

package cpu_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
	"alpinevm/cpu/jit/wasm"
	"alpinevm/cpu/jit/wasm/wasmtest"
	"alpinevm/cpu/x86"
)

// needs is what an engine wants.
type needs uint8

const (
	machineCode needs = 1 << iota // a host that can run it
	anyHost                       // none: its code runs on wazero
	asking                        // to be named
)

// TestMain runs all tests of the package on each engine; those of a short run on
// the mix of both. Those on wazero are short unless they are asked for.
func TestMain(m *testing.M) {
	engine := flag.String("engine", "", "the engine to test: interpreter, translator, old processor, mixed, wasm, wasm mixed; empty: all but the last")
	flag.Parse()
	if testing.Short() && *engine == "" && amd64.Supported() == nil {
		*engine = "mixed"
	}
	code := 0
	for _, e := range []struct {
		name   string
		needs  needs
		attach func(testing.TB, *cpu.CPU)
	}{
		{"interpreter", 0, nil},
		{"translator", machineCode, translator(plainly, jit.Config{Strict: true, Eager: true})},
		{"old processor", machineCode, translator(plainly, jit.Config{Strict: true, Eager: true, Plain: true})},
		{"mixed", machineCode, translator(func(t *amd64.Target) jit.Target { return &patchy{Target: t, r: rand.New(rand.NewPCG(1, 2))} }, jit.Config{Strict: true})},
		{"wasm", anyHost, inWasm(wasm.Config{Strict: true, Eager: true, Blocks: 8, Regions: 1, Kept: 128})},
		{"wasm mixed", anyHost | asking, inWasm(patchyWasm())},
	} {
		if code != 0 || *engine != "" && *engine != e.name {
			continue
		}
		if e.needs&asking != 0 && *engine == "" {
			continue
		}
		if err := amd64.Supported(); e.needs&machineCode != 0 && err != nil {
			fmt.Printf("engine %s: not here: %v\n", e.name, err)
			continue
		}
		if e.needs&anyHost != 0 && *engine == "" {
			// All of it takes as long as all of the others.
			if err := flag.Set("test.short", "true"); err != nil {
				panic(err)
			}
		}
		if e.attach != nil {
			cpu.SetTestEngine(e.attach, e.needs&anyHost != 0)
		}
		if code = m.Run(); code != 0 {
			fmt.Println("engine", e.name)
		}
	}
	os.Exit(code)
}

// translator makes the tests run on translated code from the first instruction
// on, with flags that are exact at every fault.
func translator(wrap func(*amd64.Target) jit.Target, cfg jit.Config) func(testing.TB, *cpu.CPU) {
	return func(t testing.TB, c *cpu.CPU) {
		target, err := amd64.New(c, cfg)
		if err != nil {
			t.Fatal(err)
		}
		tr := jit.New(c, wrap(target), cfg)
		c.Attach(tr, 0)
		t.Cleanup(func() {
			c.Attach(nil, 0)
			_ = tr.Close()
		})
	}
}

// inWasm makes them run on code for WebAssembly. The last machines alone: a test makes
// a thousand, one after the other, and each takes megabytes of wazero's.
func inWasm(cfg wasm.Config) func(testing.TB, *cpu.CPU) {
	const most = 10
	var live []func()
	return func(t testing.TB, c *cpu.CPU) {
		_, detach, err := wasmtest.Attach(c, false, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if live = append(live, sync.OnceFunc(detach)); len(live) > most {
			live[0]()
			live = slices.Delete(live, 0, 1)
		}
		t.Cleanup(live[len(live)-1])
	}
}

// patchyWasm has no code for every third instruction.
func patchyWasm() wasm.Config {
	r := rand.New(rand.NewPCG(1, 2))
	return wasm.Config{Strict: true, Eager: true, Blocks: 20, Regions: 2, Kept: 128, Deny: func(*x86.Inst) bool { return r.IntN(3) == 0 }}
}

func plainly(t *amd64.Target) jit.Target { return t }

// patchy is a target that has no code for every third instruction, which ones is
// chance: the interpreter executes it in the middle of a block. Now and then it
// says that it has no room, so that other code has to go.
type patchy struct {
	*amd64.Target
	r      *rand.Rand
	denied bool
}

func (p *patchy) Native(in *x86.Inst, user bool) bool {
	return p.r.IntN(3) != 0 && p.Target.Native(in, user)
}

func (p *patchy) Translate(u *jit.Unit, s *jit.Store) bool {
	if p.denied = !p.denied && p.r.IntN(3) == 0; p.denied {
		return false
	}
	return p.Target.Translate(u, s)
}
