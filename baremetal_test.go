package alpinevm

import (
	"strings"
	"testing"

	"alpinevm/internal/baretest"
	"alpinevm/kernel"
)

func TestBareMetal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		end    End
		serial string
		debug  string
	}{
		{name: "flat", config: Config{Kernel: baretest.Flat(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "ELF", config: Config{Kernel: baretest.ELF(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "firmware", config: Config{Firmware: baretest.ROM(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "wide exit", config: Config{Kernel: baretest.Flat(baretest.Wide)}, end: End{Cause: DebugExit, Code: 0x12345678}},
		{name: "exit beside a device", config: Config{Kernel: baretest.Flat("B007 66BAF703 EE"), DebugExit: 0x3f7}, end: End{Cause: DebugExit, Code: 7}},
		{name: "print", config: Config{Kernel: baretest.Flat(baretest.Print + baretest.Exit)}, serial: "h", debug: "h"},
		{name: "firmware prints", config: Config{Firmware: baretest.ROM("B068 BA0204 EE EBFE")}, debug: "h"}, // mov al,'h'; out 402h,al
		{name: "halt", config: Config{Kernel: baretest.Flat(baretest.Halt)}, end: End{Cause: PowerOff}},
		{name: "triple fault", config: Config{Kernel: baretest.Flat(baretest.Fault)}, end: End{Cause: TripleFault}},
		{name: "reset register", config: Config{Kernel: baretest.Flat(baretest.Reset)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "keyboard controller's reset", config: Config{Kernel: baretest.Flat(baretest.Reset8)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "fast reset", config: Config{Kernel: baretest.Flat(baretest.FastReset)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "firmware's reset", config: Config{Firmware: baretest.ROM(baretest.Twice + "BAF90C B006 EE EBFE")}, end: End{Cause: DebugExit, Code: 7}},
		{
			name:   "modules",
			config: Config{Kernel: baretest.ELF(baretest.Mods), ModuleFiles: []kernel.Module{{Data: []byte("a")}, {Data: []byte("b")}}},
			end:    End{Cause: DebugExit, Code: 2},
		},
		{name: "command line", config: Config{Kernel: baretest.Flat(baretest.String), Cmdline: "?x", Append: "y"}, end: End{Cause: DebugExit, Code: '?'}},
		// The ACPI tables lie in the last MiB.
		{name: "memory", config: Config{Kernel: baretest.Flat(baretest.Top), Memory: 100 << 20}, end: End{Cause: DebugExit, Code: 99}},
		{name: "ticks", config: Config{Kernel: baretest.Flat(baretest.Ticks)}, end: End{Cause: DebugExit, Code: 20}},
		// The shadow of the ROM below 1 MiB can be written, the ROM itself not:
		// mov ax,F000h; mov ds,ax; mov byte [8000h],5; mov al,[8000h]; out F4h,al
		{name: "shadow", config: Config{Firmware: baretest.ROM("B800F0 8ED8 C606008005 A00080 E6F4 EBFE")}, end: End{Cause: DebugExit, Code: 5}},
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
