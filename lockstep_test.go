//go:build linux && amd64

package alpinevm

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
	"alpinevm/cpu/x86"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/guesttest"
)

var (
	lockRoot    = flag.String("lockstep.root", "", "tar archives, by commas, each over the one before it: the root file system that TestLockStepOfWork works in")
	lockScript  = flag.String("lockstep.script", "", "what it does there: a file with a script for /bin/sh")
	lockEngines = flag.String("lockstep.engines", "interpreter,translator,translator-strict,mix", "the engines that run in lock-step, by commas")
)

// engineMix is a translator whose blocks leave instructions by chance to the
// interpreter, and whose memory is full now and then.
const engineMix Engine = "mix"

// patchy is the target of engineMix.
type patchy struct {
	*amd64.Target
	r      *rand.Rand
	denied bool
}

func (p *patchy) Native(in *x86.Inst, user bool) bool {
	return p.r.IntN(8) != 0 && p.Target.Native(in, user)
}

func (p *patchy) Translate(u *jit.Unit, s *jit.Store) bool {
	if p.denied = !p.denied && p.r.IntN(1000) == 0; p.denied {
		return false
	}
	return p.Target.Translate(u, s)
}

// runner is one of the machines that run in lock-step.
type runner struct {
	*guest
	engine Engine
	// exact: the arithmetic flags that are pushed are the interpreter's, even
	// where no instruction can read them any more.
	exact bool
	loose int // comparisons in a row in which only such flags differed
}

func newRunner(t *testing.T, engine Engine, cfg Config) *runner {
	r := &runner{engine: engine, exact: engine != EngineTranslator}
	cfg.Engine = engine
	if engine != engineMix {
		r.guest = newGuest(t, cfg)
		return r
	}
	cfg.Engine = EngineInterpreter
	r.guest = newGuest(t, cfg)
	c := r.board.CPU()
	strict := jit.Config{Strict: true}
	target, err := amd64.New(c, strict)
	if err != nil {
		t.Fatal(err)
	}
	tr := jit.New(c, &patchy{Target: target, r: rand.New(rand.NewPCG(1, 2))}, strict)
	c.Attach(tr, hotness)
	t.Cleanup(func() {
		c.Attach(nil, 0)
		tr.Close()
	})
	return r
}

// advance steps the machine until it has executed something, at most 10,000
// instructions. It says false when the machine has ended and all of its output is
// out.
func (r *runner) advance() bool {
	for before := r.Instructions(); r.Instructions() == before; {
		switch s, _ := r.Step(); s {
		case Ended:
			if r.board.Drained() {
				return false
			}
			time.Sleep(20 * time.Microsecond)
		case Idle, Blocked:
			time.Sleep(20 * time.Microsecond)
		}
	}
	return true
}

// settle waits until all that a machine has printed, which steps no more, is out.
func (r *runner) settle(t *testing.T) {
	t.Helper()
	for range 10_000 {
		_, _ = r.board.Save() // takes note of what the host has written
		if r.board.Drained() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("some of what the %s has printed is not out after 10,000 looks", r.engine)
}

// arith are the arithmetic flags.
const arith = x86.FlagsArith

// difference says in what two states differ: "" is nothing. Flags are compared
// as EFLAGS without the bits of but.
func difference(a, b *cpu.State, but uint32) string {
	switch {
	case a.Retired != b.Retired:
		return "count"
	case a.R != b.R:
		return "registers"
	case a.EIP != b.EIP:
		return "EIP"
	case (a.EFLAGS()^b.EFLAGS())&^but != 0:
		return "EFLAGS"
	case a.CR0 != b.CR0 || a.CR2 != b.CR2 || a.CR3 != b.CR3 || a.CR4 != b.CR4:
		return "control registers"
	case a.CPL != b.CPL || a.Seg != b.Seg || a.GDTR != b.GDTR || a.IDTR != b.IDTR:
		return "segments"
	case a.FPU != b.FPU:
		return "x87 and SSE"
	case a.Halted != b.Halted || a.Shutdown != b.Shutdown || a.Shadow != b.Shadow || a.ShadowSS != b.ShadowSS || a.Yielding != b.Yielding || a.A20 != b.A20:
		return "what it is doing"
	case a.IntrPin != b.IntrPin || a.NMIPin != b.NMIPin || a.NMIMask != b.NMIMask || a.ResetPin != b.ResetPin:
		return "pins"
	case a.DR != b.DR || a.DebugHits != b.DebugHits:
		return "debug registers"
	case a.PDPTE != b.PDPTE || a.EFER != b.EFER || a.PAT != b.PAT || a.MiscEnable != b.MiscEnable || a.MicrocodeRev != b.MicrocodeRev || a.TSCOffset != b.TSCOffset:
		return "model-specific registers"
	case a.SysenterCS != b.SysenterCS || a.SysenterESP != b.SysenterESP || a.SysenterEIP != b.SysenterEIP || a.TSCAux != b.TSCAux:
		return "registers of SYSENTER"
	}
	return ""
}

// maxLoose is for how many comparisons in a row registers may hold flags that
// were pushed: a kernel looks at those of who it returns to.
const maxLoose = 10

// same compares the states of two machines, of which first is exact.
func (r *runner) same(first *runner) (what string) {
	a, b := &first.board.CPU().State, &r.board.CPU().State
	if r.exact {
		return difference(a, b, 0)
	}
	what = difference(a, b, arith)
	if what != "registers" {
		r.loose = 0
		return what
	}
	masked := *b
	for i := range a.R {
		if (a.R[i]^b.R[i])&^arith == 0 {
			masked.R[i] = a.R[i]
		}
	}
	if r.loose++; r.loose > maxLoose {
		return what
	}
	return difference(a, &masked, arith)
}

// sameRAM compares the memory of two machines. Where flags that were pushed may
// differ, words that differ in nothing else are counted.
func (r *runner) sameRAM(first *runner) (words int, err error) {
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < int64(first.board.RAM().Size()); at += int64(len(a)) {
		for g, buf := range map[*runner][]byte{first: a, r: b} {
			if _, err := g.board.RAM().ReadAt(buf, at); err != nil {
				return words, err
			}
		}
		if bytes.Equal(a, b) {
			continue
		}
		for i := 0; i < len(a); i += 4 {
			v, w := binary.LittleEndian.Uint32(a[i:]), binary.LittleEndian.Uint32(b[i:])
			switch {
			case v == w:
			case !r.exact && (v^w)&^arith == 0:
				words++
			default:
				return words, fmt.Errorf("memory at %#x is %#x, the %s's %#x", at+int64(i), w, first.engine, v)
			}
		}
	}
	return words, nil
}

// lockStep runs the machine that config makes on several engines, a step of at
// most 10,000 instructions each in turn, and holds all of their states against
// each other behind every step; at the end output and memory too. It ends with the
// machine, or behind the first most instructions.
func lockStep(t *testing.T, engines []Engine, most uint64, config func() Config) (first *runner) {
	var all []*runner
	for _, e := range engines {
		all = append(all, newRunner(t, e, config()))
	}
	first = all[0]
	others := all[1:]
	steps := 0
	for going := true; going && first.Instructions() < most; steps++ {
		going = first.advance()
		for _, r := range others {
			also := r.advance()
			if what := r.same(first); what != "" || also != going {
				t.Fatalf("step %d: %s: the %s has (goes on: %v)\n%s\nthe %s (%v)\n%s", steps, what, first.engine, going, first.board.Registers(), r.engine, also, r.board.Registers())
			}
		}
		if testing.Verbose() && steps%200_000 == 199_999 {
			t.Logf("%d comparisons, %d instructions; %s", steps+1, first.Instructions(), first.stdout.String())
		}
	}
	for _, r := range all {
		r.settle(t)
	}
	for _, r := range others {
		words, err := r.sameRAM(first)
		if err != nil {
			t.Errorf("%s: %v", r.engine, err)
		}
		if a, b := first.stdout.String(), r.stdout.String(); a != b {
			t.Errorf("the %s prints %q, the %s %q", first.engine, a, r.engine, b)
		}
		if a, b := first.serial.String(), r.serial.String(); a != b {
			t.Errorf("the %s's serial port says %q, the %s's %q", first.engine, a, r.engine, b)
		}
		if words > 0 {
			t.Logf("%s: %d words of memory differ in flags that were pushed and never read", r.engine, words)
		}
	}
	t.Logf("%v: %d instructions, %d comparisons, %d MB of memory", engines, first.Instructions(), steps, first.board.RAM().Size()>>20)
	if *lockScript != "" {
		t.Logf("%s\n%s", first.stdout.String(), first.stderr.String())
	}
	return first
}

// TestLockStep boots the same guests, which then work a little, on all engines:
// kernels with paging in three and in two levels, and firmware, which is 16-bit code
// and goes to and fro between modes.
func TestLockStep(t *testing.T) {
	if err := TranslatorMissing(); err != nil {
		t.Skip("not here: ", err)
	}
	const work = `i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; for f in /etc/*; do md5sum $f; done; ls -lR /usr | sort | tail -n 50; cat /proc/cpuinfo | grep flags | tr ' ' '\n' | sort | uniq | wc -l; dmesg | gzip -9 | gunzip | grep -v '^.......0' | wc -l; awk 'BEGIN { for (i = 1; i < 500; i++) s += sin(i) / i; printf "%.15g\n", s }'; ` +
		// Programs are read again, into other frames.
		`for i in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; md5sum /etc/passwd; awk 'BEGIN { for (i = 1; i < 100; i++) s += exp(1 / i); print s }'; done`
	strict := []Engine{EngineInterpreter, EngineTranslator, EngineStrict}
	for _, tt := range []struct {
		name    string
		engines []Engine
		most    uint64 // instructions
		config  func(t *testing.T) Config
	}{
		{"686-pae", append(strict, engineMix), runBudget, func(t *testing.T) Config { return sessionConfig(t, "686-pae", work) }},
		{"686", strict, runBudget, func(t *testing.T) Config { return sessionConfig(t, "686", "uname -a") }},
		{"SeaBIOS", append(strict, engineMix), 30e6, func(t *testing.T) Config {
			rom, err := os.ReadFile(guesttest.File(t, "seabios/bios.bin"))
			if err != nil {
				t.Fatal(err)
			}
			return Config{Memory: MinMemory, Deterministic: true, Boot: Boot{Firmware: rom}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := lockStep(t, tt.engines, tt.most, func() Config { return tt.config(t) })
			if _, ended := first.End(); ended != (tt.most == runBudget) || ended && first.stdout.String() == "" {
				t.Errorf("ended: %v; %s", ended, first.describe())
			}
		})
	}
}

// TestLockStepOfWork does what -lockstep.script says in -lockstep.root. It takes
// as long as that takes on the interpreter: scripts/lockstep.sh has some to do.
func TestLockStepOfWork(t *testing.T) {
	if *lockScript == "" || *lockRoot == "" {
		t.Skip("not here: -lockstep.root and -lockstep.script are not set")
	}
	script, err := os.ReadFile(*lockScript)
	if err != nil {
		t.Fatal(err)
	}
	var engines []Engine
	for e := range strings.SplitSeq(*lockEngines, ",") {
		engines = append(engines, Engine(e))
	}
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	layers, tree := lockLayers(t)
	lockStep(t, engines, 1<<60, func() Config {
		cfg := sessionConfig(t, "686-pae", string(script))
		lower, err := oci.Open(bytes.NewReader(tree), int64(len(tree)), layers)
		if err != nil {
			t.Fatal(err)
		}
		root, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{Now: guesttest.Epoch}), Lower: lower})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Memory, cfg.Session.Root, cfg.Session.Busybox = 1<<30, root, busybox
		return cfg
	})
}

// lockLayers opens the archives of -lockstep.root, for as long as the test runs.
func lockLayers(t *testing.T) (layers []oci.Layer, tree []byte) {
	for name := range strings.SplitSeq(*lockRoot, ",") {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, oci.Layer{Name: name, Data: f, Size: info.Size()})
	}
	var b bytes.Buffer
	if err := oci.Build(&b, layers, oci.Limits{}); err != nil {
		t.Fatal(err)
	}
	return layers, b.Bytes()
}

// TestLockStepSees: whatever field of two states differs, it is seen, but for
// those that engines keep each in its way.
func TestLockStepSees(t *testing.T) {
	own := []string{"Res", "Aux", "Paused", "Fault", "TLB", "TLBValid", "TLBGlobal", "TLBLarge"}
	a, b := new(cpu.State), new(cpu.State)
	for i := range reflect.TypeFor[cpu.State]().NumField() {
		name := reflect.TypeFor[cpu.State]().Field(i).Name
		*b = *a
		increment(reflect.ValueOf(b).Elem().Field(i))
		b.SetArith(a.Arith()) // Res and Aux are these
		if what := difference(a, b, 0); (what == "") != slices.Contains(own, name) {
			t.Errorf("%s: difference %q", name, what)
		}
	}
	for _, flag := range []uint32{x86.FlagCF, x86.FlagPF, x86.FlagAF, x86.FlagZF, x86.FlagSF, x86.FlagOF} {
		*b = *a
		b.SetArith(a.Arith() ^ flag)
		if difference(a, b, 0) == "" || difference(a, b, arith) != "" {
			t.Errorf("flag %#x", flag)
		}
	}
}

// increment changes the last number in v.
func increment(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		increment(v.Field(v.NumField() - 1))
	case reflect.Array:
		increment(v.Index(v.Len() - 1))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		v.SetUint(v.Uint() + 1)
	}
}
