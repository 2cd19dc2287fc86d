package alpinevm

import (
	"errors"
	"strings"
	"testing"

	"alpinevm/internal/baretest"
	"alpinevm/kernel"
)

func TestBareMetal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		boot   Boot
		memory int64
		exit   uint16
		end    End
		serial string
		debug  string
	}{
		{name: "flat", boot: Boot{Kernel: baretest.Flat(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "ELF", boot: Boot{Kernel: baretest.ELF(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "firmware", boot: Boot{Firmware: baretest.ROM(baretest.Exit)}, end: End{Cause: DebugExit, Code: 42}},
		{name: "wide exit", boot: Boot{Kernel: baretest.Flat(baretest.Wide)}, end: End{Cause: DebugExit, Code: 0x12345678}},
		{name: "exit beside a device", boot: Boot{Kernel: baretest.Flat("B007 66BAF703 EE")}, exit: 0x3f7, end: End{Cause: DebugExit, Code: 7}},
		{name: "print", boot: Boot{Kernel: baretest.Flat(baretest.Print + baretest.Exit)}, serial: "h", debug: "h"},
		{name: "firmware prints", boot: Boot{Firmware: baretest.ROM("B068 BA0204 EE EBFE")}, debug: "h"}, // mov al,'h'; out 402h,al
		{name: "call of a BIOS", boot: Boot{Kernel: baretest.Flat(baretest.BIOSCall)}, end: End{Cause: NoBIOS}},
		{name: "halt", boot: Boot{Kernel: baretest.Flat(baretest.Halt)}, end: End{Cause: PowerOff}},
		{name: "triple fault", boot: Boot{Kernel: baretest.Flat(baretest.Fault)}, end: End{Cause: TripleFault}},
		{name: "reset register", boot: Boot{Kernel: baretest.Flat(baretest.Reset)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "keyboard controller's reset", boot: Boot{Kernel: baretest.Flat(baretest.Reset8)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "fast reset", boot: Boot{Kernel: baretest.Flat(baretest.FastReset)}, end: End{Cause: DebugExit, Code: 7}},
		{name: "firmware's reset", boot: Boot{Firmware: baretest.ROM(baretest.Twice + "BAF90C B006 EE EBFE")}, end: End{Cause: DebugExit, Code: 7}},
		{
			name: "modules",
			boot: Boot{Kernel: baretest.ELF(baretest.Mods), ModuleFiles: []kernel.Module{{Data: []byte("a")}, {Data: []byte("b")}}},
			end:  End{Cause: DebugExit, Code: 2},
		},
		{name: "command line", boot: Boot{Kernel: baretest.Flat(baretest.String), Cmdline: "?x", Append: "y"}, end: End{Cause: DebugExit, Code: '?'}},
		// The ACPI tables lie in the last MiB.
		{name: "memory", boot: Boot{Kernel: baretest.Flat(baretest.Top)}, memory: 100 << 20, end: End{Cause: DebugExit, Code: 99}},
		{name: "ticks", boot: Boot{Kernel: baretest.Flat(baretest.Ticks)}, end: End{Cause: DebugExit, Code: 20}},
		// The shadow of the ROM below 1 MiB can be written, the ROM itself not:
		// mov ax,F000h; mov ds,ax; mov byte [8000h],5; mov al,[8000h]; out F4h,al
		{name: "shadow", boot: Boot{Firmware: baretest.ROM("B800F0 8ED8 C606008005 A00080 E6F4 EBFE")}, end: End{Cause: DebugExit, Code: 5}},
	} {
		for _, deterministic := range []bool{true, false} {
			name := tt.name
			if deterministic {
				name += "/deterministic"
			}
			t.Run(name, func(t *testing.T) {
				cfg := Config{Memory: tt.memory, Deterministic: deterministic, Boot: tt.boot, Debug: Debug{Exit: tt.exit}}
				if tt.exit == 0 {
					cfg.Debug.Exit = 0xf4
				}
				if tt.memory == 0 {
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

// TestRealModeKernel is started by firmware or not at all.
func TestRealModeKernel(t *testing.T) {
	image := baretest.Real(baretest.PrintLine)
	_, err := New(Config{Boot: Boot{Kernel: image}})
	var config *ConfigError
	if !errors.As(err, &config) || config.Field != "Kernel" || !errors.Is(err, kernel.ErrBIOS) {
		t.Errorf("without firmware: %v", err)
	}
	for name, boot := range map[string]Boot{
		"a multiboot kernel": {Kernel: baretest.Flat(baretest.Exit), Firmware: baretest.ROM(baretest.Exit)},
		"a long line":        {Kernel: image, Firmware: baretest.ROM(baretest.Exit), Cmdline: strings.Repeat("x", 2048)},
		"a large disk":       {Kernel: image, Firmware: baretest.ROM(baretest.Exit), Initrd: make([]byte, DefaultMemory)},
	} {
		if _, err := New(Config{Boot: boot}); err == nil || !strings.HasPrefix(err.Error(), "kernel: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := New(Config{Boot: Boot{Kernel: image, Firmware: baretest.ROM(baretest.Exit)}, Memory: MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	if m.image.Cmdline != "" {
		t.Errorf("it is given Linux's command line %q", m.image.Cmdline)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
