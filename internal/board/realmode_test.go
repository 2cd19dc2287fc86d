package board

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"alpinevm/cpu/mem"
	"alpinevm/internal/baretest"
	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
)

func readGuest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(guesttest.File(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parsed(t testing.TB, image []byte) *kernel.Image {
	t.Helper()
	k, err := kernel.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRealMode has SeaBIOS start setup code, at first and behind a reset: the
// segments and the command line are there, and what is printed by the BIOS comes
// out of the serial port.
func TestRealMode(t *testing.T) {
	for name, program := range map[string]string{"at first": baretest.PrintLine, "behind a reset": baretest.PrintTwice} {
		for _, firmware := range []string{"seabios/bios.bin", "seabios/bios-256k.bin"} {
			t.Run(name+" "+firmware, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, Config{Memory: 64 << 20, Deterministic: true}, Image{
					Firmware: readGuest(t, firmware), Kernel: parsed(t, baretest.Real(program)), Cmdline: "what to do, at length" + strings.Repeat(".", 60),
				})
				r.stepUntil(2e9, nil)
				// What it has printed last waits for a timer tick.
				if r.end != "debug exit 32" || !strings.Contains(r.serial.String(), "what to do, at length") {
					t.Errorf("%s, serial %.1000q", r.end, r.serial.String())
				}
			})
		}
	}
}

// floppy is a disk whose boot sector prints by interrupt 10h and ends.
func floppy() []byte {
	disk := make([]byte, 1440<<10)
	const text = "from the disk\x00"
	code := baretest.Code("31C0 8ED8 BE207C AC 84C0 7409 B40E BB0700 CD10 EBF2 B007 E6F4 EBFE")
	copy(disk, code)
	copy(disk[0x20:], text)
	disk[510], disk[511] = 0x55, 0xAA
	return disk
}

// TestNoBIOS calls a BIOS where there is none.
func TestNoBIOS(t *testing.T) {
	r := assemble(t, Config{})
	r.cfg.Hooks.NoBIOS = func(n uint8) { r.end = fmt.Sprintf("interrupt %02Xh", n) }
	if err := r.Boot(flat(t, baretest.BIOSCall)); err != nil {
		t.Fatal(err)
	}
	r.stepUntil(1e6, nil)
	if r.end != "interrupt 15h" {
		t.Errorf("%s\n%s", r.end, r.Registers())
	}
}

// TestKernelsOfOthers boots what Debian has that is no Linux: memtest86+ as a
// Linux kernel is booted, and iPXE and memdisk, with a disk, by SeaBIOS.
func TestKernelsOfOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	for _, tt := range []struct {
		name, cmdline string
		bios          bool
		disk          []byte
		want          string
	}{
		{"memtest", "console=ttyS0", false, nil, "Memtest86+ v"},
		{"ipxe", "", true, nil, "Open Source Network Boot Firmware"},
		{"memdisk", "", true, floppy(), "from the disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			image := Image{Kernel: parsed(t, readGuest(t, "bios/"+tt.name)), Cmdline: tt.cmdline, Initrd: tt.disk}
			if image.Kernel.NeedsBIOS() != tt.bios {
				t.Errorf("needs a BIOS: %v", image.Kernel.NeedsBIOS())
			}
			if tt.bios {
				image.Firmware = readGuest(t, "seabios/bios.bin")
			}
			r := newRig(t, Config{Memory: 64 << 20, Deterministic: true}, image)
			r.stepUntil(2e9, func() bool { return strings.Contains(r.serial.String(), tt.want) })
			t.Logf("%d million instructions", r.Instructions()/1e6)
		})
	}
}

// TestFirmwareSizes starts firmware of the least and of the most size.
func TestFirmwareSizes(t *testing.T) {
	for _, size := range []int{64 << 10, 1 << 20, 3653632, 4 << 20} {
		rom := append(make([]byte, size-64<<10), baretest.ROM(baretest.Exit)...)
		rom[0x8000] = 0xA5
		r := newRig(t, Config{}, Image{Firmware: rom})
		var first [1]byte
		at := 1<<32 - uint64(size) + 0x8000
		if _, kind := r.mem.Lookup(at); kind != mem.ROM || r.cpu.Peek(uint32(at), first[:]) != 1 || first[0] != 0xA5 {
			t.Errorf("%d bytes: they do not begin at %#x", size, at-0x8000)
		}
		r.stepUntil(1e6, nil)
		if r.end != "debug exit 42" {
			t.Errorf("%d bytes: %s", size, r.end)
		}
	}
}
