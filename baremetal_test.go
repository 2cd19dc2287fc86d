package alpinevm

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
	"time"

	"alpinevm/kernel"
)

// Programs of a bare machine, for a 32-bit segment. They end by a byte to port
// F4h.
const (
	programExit   = "B02A E6F4 EBFE"              // mov al,42; out F4h,al; jmp $
	programWide   = "B878563412 66BAF400 EF EBFE" // mov eax,12345678h; mov dx,F4h; out dx,eax
	programHalt   = "FA F4"                       // cli; hlt
	programLoop   = "EBFE"                        // jmp $
	programFault  = "0F0B"                        // ud2, without an IDT
	programPrint  = "B068 66BAF803 EE E6E9 EBFE"  // mov al,'h'; out 3F8h,al; out E9h,al
	programFlood  = "B078 66BAF803 EE EBFD"       // mov al,'x'; mov dx,3F8h; l: out dx,al; jmp l
	programMods   = "3D02B0AD2B 7505 8A4314 E6F4" // cmp eax,2BADB002h; jne; mov al,[ebx+20]; out F4h,al
	programString = "8B4B10 8A01 E6F4 EBFE"       // mov ecx,[ebx+16]; mov al,[ecx]; out F4h,al
	programTop    = "8B4308 C1E80A 40 E6F4 EBFE"  // mov eax,[ebx+8]; shr eax,10; inc eax; out F4h,al
	programPOST   = "B0A5 E680 B05A 66BA9001 EE " + programExit
	// A byte of CMOS RAM says that this is the second start.
	twice         = "B040 E670 E471 84C0 7402 E6F4 B040 E670 B007 E671 " // if cmos[40h] != 0 {out F4h}; cmos[40h] = 7
	programReset  = twice + "66BAF90C B006 EE EBFE"                      // mov dx,CF9h; mov al,6; out dx,al
	programReset8 = twice + "B0FE E664 EBFE"                             // mov al,FEh; out 64h,al
	programFast   = twice + "B001 E692 EBFE"                             // mov al,1; out 92h,al
	// programTicks sets up IDT, PIC and PIT for 100 interrupts a second and
	// waits in HLT for 20 of them.
	programTicks = `bc00780000e8000000005d8d857100000089c181e1ffff00008ccac1e210
		09d1890d00710000250000ffffb48ea30471000066c70500600000ff07c7
		0502600000007000000f011d00600000b011e620b020e621b004e621b001
		e621b0fee621b034e643b09ce640b02ee64031dbfbf483fb1472f988d8e6
		f4ebfe43b020e620cf`
)

func code(text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// Multiboot 0.6.96, 3.1.
const (
	multibootMagic     = 0x1badb002
	multibootAddresses = 1 << 16
	multibootLoad      = 0x100000
	multibootHeader    = 32
)

// flatKernel is a multiboot kernel that states its own addresses.
func flatKernel(program string) []byte {
	b, text := &bytes.Buffer{}, code(program)
	end := uint32(multibootLoad + multibootHeader + len(text))
	magic, flags := uint32(multibootMagic), uint32(multibootAddresses)
	for _, v := range []uint32{magic, flags, -(magic + flags), multibootLoad, multibootLoad, end, end, multibootLoad + multibootHeader} {
		binary.Write(b, binary.LittleEndian, v)
	}
	b.Write(text)
	return b.Bytes()
}

// elfKernel is a multiboot kernel in an ELF file.
func elfKernel(program string) []byte {
	const text = 0x200000
	magic := uint32(multibootMagic)
	data := binary.LittleEndian.AppendUint32(nil, magic)
	data = binary.LittleEndian.AppendUint32(data, 0)
	data = binary.LittleEndian.AppendUint32(data, -magic)
	data = append(data, code(program)...)
	h := elf.Header32{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: 1, Entry: text + 12,
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1, Shentsize: 40,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), 1
	b := &bytes.Buffer{}
	binary.Write(b, binary.LittleEndian, h)
	binary.Write(b, binary.LittleEndian, elf.Prog32{
		Type: uint32(elf.PT_LOAD), Off: 84, Vaddr: text, Paddr: text, Filesz: uint32(len(data)), Memsz: uint32(len(data)) + 64, Flags: 7, Align: 4,
	})
	b.Write(data)
	return b.Bytes()
}

// rom is a ROM image of 64 KiB with a program, for a 16-bit segment, at its
// start, to which the reset vector jumps.
func rom(program string) []byte {
	b := make([]byte, 64<<10)
	copy(b, code(program))
	copy(b[0xfff0:], code("EA000000F0")) // jmp F000h:0
	return b
}

func TestBareMetal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		end    End
		serial string
		debug  string
	}{
		{name: "flat", config: Config{Kernel: flatKernel(programExit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "ELF", config: Config{Kernel: elfKernel(programExit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "firmware", config: Config{Firmware: rom(programExit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "wide exit", config: Config{Kernel: flatKernel(programWide)}, end: End{Cause: DebugExit, Code: 0x12345678}},
		{name: "exit beside a device", config: Config{Kernel: flatKernel("B007 66BAF703 EE"), DebugExit: 0x3f7}, end: End{Cause: DebugExit, Code: 7}},
		{name: "print", config: Config{Kernel: flatKernel(programPrint + programExit)}, serial: "h", debug: "h"},
		{name: "firmware prints", config: Config{Firmware: rom("B068 BA0204 EE EBFE")}, debug: "h"}, // mov al,'h'; out 402h,al
		{name: "halt", config: Config{Kernel: flatKernel(programHalt)}, end: End{Cause: PowerOff}},
		{name: "triple fault", config: Config{Kernel: flatKernel(programFault)}, end: End{Cause: TripleFault}},
		{name: "reset register", config: Config{Kernel: flatKernel(programReset)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "keyboard controller's reset", config: Config{Kernel: flatKernel(programReset8)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "fast reset", config: Config{Kernel: flatKernel(programFast)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "firmware's reset", config: Config{Firmware: rom(twice + "BAF90C B006 EE EBFE")}, end: End{Cause: DebugExit, Code: 7}},
		{
			name:   "modules",
			config: Config{Kernel: elfKernel(programMods), ModuleFiles: []kernel.Module{{Data: []byte("a")}, {Data: []byte("b")}}},
			end:    End{Cause: DebugExit, Code: 2},
		},
		{name: "command line", config: Config{Kernel: flatKernel(programString), Cmdline: "?x", Append: "y"}, end: End{Cause: DebugExit, Code: '?'}},
		// The ACPI tables lie in the last MiB.
		{name: "memory", config: Config{Kernel: flatKernel(programTop), Memory: 100 << 20}, end: End{Cause: DebugExit, Code: 99}},
		{name: "ticks", config: Config{Kernel: flatKernel(programTicks)}, end: End{Cause: DebugExit, Code: 20}},
		// The shadow of the ROM below 1 MiB can be written, the ROM itself not:
		// mov ax,F000h; mov ds,ax; mov byte [8000h],5; mov al,[8000h]; out F4h,al
		{name: "shadow", config: Config{Firmware: rom("B800F0 8ED8 C606008005 A00080 E6F4 EBFE")}, end: End{Cause: DebugExit, Code: 5}},
	} {
		for _, deterministic := range []bool{true, false} {
			name := tt.name
			if deterministic {
				name += "/deterministic"
			}
			t.Run(name, func(t *testing.T) {
				cfg := tt.config
				cfg.Deterministic = deterministic
				if cfg.DebugExit == 0 {
					cfg.DebugExit = 0xf4
				}
				if cfg.Memory == 0 {
					cfg.Memory = MinMemory
				}
				g := newGuest(t, cfg)
				done := func() bool {
					return tt.end.Cause == 0 && g.serial.String() == tt.serial && g.debug.String() == tt.debug
				}
				switch end := g.stepUntil(100e6, done); {
				case end == nil:
				case end.Cause != tt.end.Cause || end.Code != tt.end.Code:
					t.Errorf("ended by %s with %d, want %s with %d; %s", end.Cause, end.Code, tt.end.Cause, tt.end.Code, end.Detail)
				case end.Cause == TripleFault && !strings.Contains(end.Detail, "EIP 00100020"):
					t.Errorf("a triple fault with the state %s", end.Detail)
				}
				if g.serial.String() != tt.serial || g.debug.String() != tt.debug {
					t.Errorf("serial %q, want %q; debug %q, want %q", g.serial.String(), tt.serial, g.debug.String(), tt.debug)
				}
			})
		}
	}
}

// TestTicksTakeTime holds the host's clock to its word: 20 interrupts at 100 Hz
// take 200 ms, and waiting for them is no work.
func TestTicksTakeTime(t *testing.T) {
	g := newGuest(t, Config{Kernel: flatKernel(programTicks), DebugExit: 0xf4, Memory: MinMemory})
	from := time.Now()
	end, err := g.Run(context.Background())
	if err != nil || end.Code != 20 {
		t.Fatal(end, err)
	}
	if d := time.Since(from); d < 189*time.Millisecond {
		t.Errorf("20 ticks took %v", d)
	}
	if n := g.cpu.Retired; n > 1000 {
		t.Errorf("%d instructions", n)
	}
}

// TestCancel ends runs that would go on for ever.
func TestCancel(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"busy", Config{Kernel: flatKernel(programLoop)}},
		{"idle", Config{Kernel: flatKernel("FB F4 EBFC")}}, // sti; l: hlt; jmp l
		{"blocked", Config{Kernel: flatKernel(programFlood), Serial: stuck(never)}},
		{"deterministic", Config{Kernel: flatKernel(programLoop), Deterministic: true}},
		{"deterministic idle", Config{Kernel: flatKernel("FB F4 EBFC"), Deterministic: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg
			cfg.Memory = MinMemory
			m, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			late := time.Hour
			for range 3 { // the host may be busy with something else at times
				ctx, cancel := context.WithCancel(context.Background())
				var at time.Time
				time.AfterFunc(20*time.Millisecond, func() { at = time.Now(); cancel() })
				if end, err := m.Run(ctx); err != context.Canceled {
					t.Fatal(end, err)
				}
				late = min(late, time.Since(at))
			}
			if late > 100*time.Millisecond {
				t.Errorf("the end came %v after the cancellation", late)
			}
			// It goes on where it was.
			before := m.cpu.Retired
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			if _, err := m.Run(ctx); err != context.DeadlineExceeded {
				t.Error(err)
			}
			if tt.name == "busy" && m.cpu.Retired == before {
				t.Error("a run after a cancellation does nothing")
			}
		})
	}
}

// stuck is a writer that never writes.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) { <-s; return len(p), nil }

// TestBlocked has a guest that prints more than its host takes: the machine
// waits, loses nothing and goes on.
func TestBlocked(t *testing.T) {
	let := make(chan struct{})
	w := &slow{let: let}
	m, err := New(Config{Kernel: flatKernel(programFlood), Memory: MinMemory, Serial: w})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	defer close(let)
	printed := func() int { return m.log.n }
	for s := Running; s != Blocked; s, _ = m.Step() {
		if printed() > 10*outletRoom {
			t.Fatal("output that nobody takes does not stop the machine")
		}
	}
	n := printed()
	for range 10 {
		if s, _ := m.Step(); s != Blocked {
			t.Fatalf("status %d", s)
		}
	}
	if printed() != n {
		t.Error("a blocked machine prints")
	}
	let <- struct{}{}
	for s := Blocked; s == Blocked; s, _ = m.Step() {
		runtime.Gosched()
	}
	for printed() == n {
		m.Step()
	}
}

// slow writes when it is let.
type slow struct{ let chan struct{} }

func (s *slow) Write(p []byte) (int, error) { <-s.let; return len(p), nil }
