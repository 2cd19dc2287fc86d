package alpinevm

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/baretest"
)

// gdbProgram is a multiboot kernel with symbols, whose source is beside it.
const gdbProgram = "internal/gdb/testdata/program.elf"

// debuggee is a machine that a debugger can connect to.
type debuggee struct {
	*VM
	t    testing.TB
	addr string
}

// debugMachine runs a machine that is held until a debugger comes.
func debugMachine(t testing.TB, cfg Config) *debuggee {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Debug.GDB, cfg.Debug.GDBWait = NewGDB(l), true
	m, err := New(cfg)
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	vm := m.Go(t.Context())
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	return &debuggee{vm, t, l.Addr().String()}
}

// bareConfig is that of a machine with nothing but a kernel.
func bareConfig(kernel []byte) Config {
	return Config{Memory: MinMemory, Boot: Boot{Kernel: kernel}, Debug: Debug{Exit: 0xf4}}
}

func programConfig(t testing.TB) Config {
	t.Helper()
	kernel, err := os.ReadFile(gdbProgram)
	if err != nil {
		t.Fatal(err)
	}
	return bareConfig(kernel)
}

// engines are those that this host has.
func engines() []Engine {
	list := []Engine{EngineInterpreter}
	if TranslatorMissing() == nil {
		list = append(list, EngineTranslator)
	}
	return list
}

// gdbStep is a command for gdb and what its output matches.
type gdbStep struct{ command, want string }

// gdb has Debian's gdb connect to the machine and do the steps.
func (d *debuggee) gdb(symbols string, steps []gdbStep) {
	d.t.Helper()
	program, err := exec.LookPath("gdb")
	if err != nil {
		d.t.Skip("not here: there is no gdb")
	}
	if out, _ := exec.Command(program, "-nx", "-nh", "-batch", "-ex", "set architecture i386").CombinedOutput(); bytes.Contains(out, []byte("Undefined item")) {
		d.t.Skip("not here: this gdb knows no i386")
	}
	args := []string{"-nx", "-nh", "-batch", "-ex", "set remotetimeout 300", "-ex", "set width 0", "-ex", "target remote " + d.addr}
	const mark = "\n@@step "
	for i, s := range steps {
		args = append(args, "-ex", fmt.Sprintf(`echo \n@@step %d\n`, i), "-ex", s.command)
	}
	args = append(args, "-ex", `echo \n@@step end\n`)
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, symbols)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+d.t.TempDir(), "DEBUGINFOD_URLS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("gdb: %v\n%s", err, out)
		return
	}
	parts := strings.Split(string(out), mark)
	for i, s := range steps {
		if i+1 >= len(parts) {
			d.t.Fatalf("gdb ended before %q:\n%s", s.command, out)
		}
		_, got, _ := strings.Cut(parts[i+1], "\n")
		if !regexp.MustCompile("(?s)" + s.want).MatchString(got) {
			d.t.Errorf("%s: got %q, want %s", s.command, got, s.want)
		}
	}
	if d.t.Failed() {
		d.t.Logf("all that gdb said:\n%s", out)
	}
}

// TestGDB has Debian's gdb debug a program on a bare machine, on each engine.
func TestGDB(t *testing.T) {
	steps := []gdbStep{
		{"break square", `Breakpoint 1 at 0x[0-9a-f]+: file .*program\.c, line 17`},
		{"continue", `Breakpoint 1, square \(n=0\) at`},
		{"backtrace", `#0 +square \(n=0\).*#1 .* in sum \(count=5\).*#2 .* in main \(\)`},
		{"print $cr0", `\[ PE ET NW CD \]`},
		{"info registers eip cs", `<square\+[0-9]+>.*cs +0x10 `},
		{"info registers", `eflags .*gdt_limit`},
		{"info float", `Control Word: +0x0040`},
		{"print $xmm0", `v4_int32 = \{0, 0, 0, 0\}`},
		{"next", `18\t`},
		{"print result", `= 0`},
		{"finish", `in sum \(count=5\).*Value returned is .* = 0`},
		{"next", `24\t`},
		{"delete 1", `^$`},
		{"watch total", `Hardware watchpoint 2: total`},
		{"continue", `Hardware watchpoint 2: total.*Old value = 0\nNew value = 1\n`},
		{"delete 2", `^$`},
		{"awatch history[2]", `Hardware access \(read/write\) watchpoint 3: history\[2\]`},
		{"continue", `watchpoint 3: history\[2\].*Old value = 0\nNew value = 4\n`},
		{"delete 3", `^$`},
		{"print history[1]", `= 1`},
		{"x/s greeting", `"hello"`},
		{"set var total = 100", `^$`},
		{"print total", `= 100`},
		{"disassemble square,+3", `<square\+0>:\s+push +%ebp.*<square\+1>:\s+mov +%esp,%ebp`},
		{"hbreak square", `Hardware assisted breakpoint 4 at`},
		{"continue", `Breakpoint 4, square \(n=3\)`},
		{"x/3xb square", `0x55\s+0x89\s+0xe5`},
		{"stepi", `0x[0-9a-f]+`},
		{"x/xb 0xf8000000", `Cannot access memory at address 0xf8000000`},
		{"print $ecx = 7", `= 7`},
		{"info registers ecx", `0x7 `},
		{"monitor info", `protected mode, ring 0, [0-9]+ instructions`},
		{"info threads", `\* 1 +Thread 1 \(CPU: protected mode, ring 0\) .*square`},
		{"delete", `^$`},
		{"detach", `Inferior 1 \(.*\) detached`},
	}
	for _, e := range engines() {
		for _, deterministic := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", e, deterministic), func(t *testing.T) {
				cfg := programConfig(t)
				cfg.Engine, cfg.Deterministic = e, deterministic
				d := debugMachine(t, cfg)
				d.gdb(gdbProgram, steps)
				if end, err := d.Wait(); err != nil || end.Cause != DebugExit || end.Code != 100+4+9+16 {
					t.Errorf("it ended by %s with %d, %v", end.Cause, end.Code, err)
				}
			})
		}
	}
}

// TestGDBLeavesNoTrace: a guest that is stopped by breakpoints and watchpoints, and
// looked at, does what it does alone, to the instruction.
func TestGDBLeavesNoTrace(t *testing.T) {
	for _, e := range engines() {
		t.Run(string(e), func(t *testing.T) {
			cfg := programConfig(t)
			cfg.Engine, cfg.Deterministic = e, true
			alone := newGuest(t, cfg)
			want := alone.run()
			d := debugMachine(t, cfg)
			d.gdb(gdbProgram, []gdbStep{
				{"break 22", `Breakpoint 1`}, {"watch total", `Hardware watchpoint 2`}, {"rwatch greeting", `watchpoint 3`}, {"continue", `Breakpoint 1`}, {"backtrace", `sum`}, {"continue 4", `Breakpoint 1|watchpoint 2`},
				{"delete", `^$`}, {"continue", `exited with code 036`},
			})
			end, err := d.Wait()
			if end != want || err != nil || d.m.Instructions() != alone.Instructions() {
				t.Errorf("%v, %v after %d instructions; alone %v after %d", end, err, d.m.Instructions(), want, alone.Instructions())
			}
		})
	}
}

// remote is a client of the remote protocol, packet by packet.
type remote struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// connect connects a client without acknowledgements.
func (d *debuggee) connect() *remote {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return &remote{d.t, conn, bufio.NewReader(conn)}
}

func (r *remote) send(packets ...string) {
	r.t.Helper()
	for _, p := range packets {
		sum := byte(0)
		for _, b := range []byte(p) {
			sum += b
		}
		if _, err := fmt.Fprintf(r.conn, "$%s#%02x", p, sum); err != nil {
			r.t.Fatal(err)
		}
	}
}

// reply reads the next packet; "" at the end of the connection.
func (r *remote) reply() string {
	r.t.Helper()
	p, err := r.r.ReadString('#')
	if err != nil {
		return ""
	}
	io.ReadFull(r.r, make([]byte, 2))
	_, p, _ = strings.Cut(strings.TrimSuffix(p, "#"), "$")
	return p
}

// ask sends a packet and checks the beginning of its answer.
func (r *remote) ask(packet, want string) {
	r.t.Helper()
	r.send(packet)
	if got := r.reply(); !strings.HasPrefix(got, want) || want == "" && got != "" {
		r.t.Fatalf("%s: %q, want %q", packet, got, want)
	}
}

// TestGDBEnds: however a machine ends, a debugger is told.
func TestGDBEnds(t *testing.T) {
	for _, tt := range []struct {
		name, program, want string
		packets             []string // before
	}{
		{name: "exit", program: baretest.Exit, want: "W2a"},
		{name: "halt", program: baretest.Halt, want: "W00"},
		{name: "triple fault", program: baretest.Fault, want: "X0b"},
		{name: "reset by the guest", program: baretest.Reset, want: "W07"},
		{name: "steps to the end", program: baretest.Fault, want: "X0b", packets: []string{"s"}},
	} {
		for _, e := range engines() {
			t.Run(tt.name+"/"+string(e), func(t *testing.T) {
				cfg := bareConfig(baretest.Flat(tt.program))
				cfg.Engine = e
				r := debugMachine(t, cfg).connect()
				for _, p := range tt.packets {
					r.ask(p, "T05")
				}
				r.ask("c", tt.want)
			})
		}
	}
}

// TestGDBReset: a reset by the guest or by the debugger leaves breakpoints where they
// are.
func TestGDBReset(t *testing.T) {
	r := debugMachine(t, bareConfig(baretest.Flat(baretest.Reset))).connect()
	r.ask("qSupported:swbreak+", "PacketSize")
	r.ask("Z0,100022,1", "OK")
	r.ask("c", "T05thread:01;swbreak:;")
	r.send("R00")
	r.reply()
	r.ask("p8", "20001000")
	for range 2 {
		r.ask("c", "T05thread:01;swbreak:;")
		r.ask("p8", "22001000")
		r.ask("s", "T05thread:01;")
		r.ask("p8", "24001000")
	}
	r.ask("c", "W07")
}

// TestGDBInterrupt: Ctrl-C holds a guest that is busy and one that waits in HLT; a step
// out of that ends in the handler of what wakes it.
func TestGDBInterrupt(t *testing.T) {
	for name, program := range map[string]string{"busy": baretest.Loop, "idle": baretest.Idle, "with ticks": strings.Replace(baretest.Ticks, "83fb14", "83fbff", 1)} {
		for _, e := range engines() {
			t.Run(name+"/"+string(e), func(t *testing.T) {
				cfg := bareConfig(baretest.Flat(program))
				cfg.Engine = e
				r := debugMachine(t, cfg).connect()
				for range 3 {
					r.send("c")
					r.conn.Write([]byte{3})
					if got := r.reply(); got != "T02thread:01;" {
						t.Fatalf("%q", got)
					}
				}
			})
		}
	}
}

// TestGDBClients: one debugger at a time; one that is gone leaves a machine that runs,
// without its breakpoints.
func TestGDBClients(t *testing.T) {
	program := baretest.Flat("B9 00000004 49 75FD " + baretest.Exit) // mov ecx,4000000h; l: dec ecx; jnz l
	const loop = "Z0,100025,1"
	t.Run("a second one", func(t *testing.T) {
		d := debugMachine(t, bareConfig(program))
		first := d.connect()
		first.ask("qSupported", "PacketSize")
		second := d.connect()
		second.ask("qSupported:swbreak+", "E.the machine has a debugger already")
		first.ask("p8", "20001000")
		first.ask("D", "OK")
		if first.reply() != "" {
			t.Error("one that has detached is answered")
		}
	})
	for name, leave := range map[string]func(r *remote){
		"is gone":                func(r *remote) { r.conn.Close() },
		"is gone while it waits": func(r *remote) { r.ask(loop, "OK"); r.send("c"); r.conn.Close() },
		"is gone at a breakpoint": func(r *remote) {
			r.ask(loop, "OK")
			r.ask("c", "T05")
			r.conn.Close()
		},
		"detaches": func(r *remote) { r.ask(loop, "OK"); r.ask("D", "OK") },
		"talks something else": func(r *remote) {
			r.conn.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1000))
			io.Copy(io.Discard, r.conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := debugMachine(t, bareConfig(program))
			leave(d.connect())
			if end, err := d.Wait(); err != nil || end.Cause != DebugExit || end.Code != 42 {
				t.Errorf("it ended by %s with %d, %v", end.Cause, end.Code, err)
			}
		})
	}
	t.Run("sends much", func(t *testing.T) {
		r := debugMachine(t, bareConfig(program)).connect()
		r.ask("?", "T05")
		r.ask("M0,ffffffff:"+strings.Repeat("00", 1<<20), "E22")
		r.ask("mffffffff,ffffffff", "E14")
		r.ask("?", "T05")
	})
	t.Run("kills", func(t *testing.T) {
		d := debugMachine(t, bareConfig(program))
		d.connect().send("k")
		if end, err := d.Wait(); err != nil || end.Cause != Killed {
			t.Errorf("it ended by %s, %v", end.Cause, err)
		}
	})
	t.Run("asks while it runs", func(t *testing.T) {
		r := debugMachine(t, bareConfig(baretest.Flat(baretest.Loop))).connect()
		r.send("c")
		r.ask("g", "E16")
		r.conn.Write([]byte{3})
		if got := r.reply(); got != "T02thread:01;" {
			t.Errorf("%q", got)
		}
	})
	t.Run("when the machine is closed", func(t *testing.T) {
		d := debugMachine(t, bareConfig(baretest.Flat(baretest.Loop)))
		r := d.connect()
		r.send("c")
		r.ask("g", "E16")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := r.reply(); got != "X09" {
			t.Errorf("%q", got)
		}
	})
}
