package board

import (
	"os"
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
)

// TestSeaBIOS runs Debian's SeaBIOS from the reset vector: it finds the memory
// by CMOS, makes its shadow in RAM, sets up PCI, and, as there is nothing to boot
// from, waits a minute and starts again.
func TestSeaBIOS(t *testing.T) {
	for _, tt := range []struct {
		image  string
		memory int64
		ram    string
	}{
		{"bios.bin", 64 << 20, "0x04000000"},
		{"bios-256k.bin", 512 << 20, "0x20000000"},
		{"bios-256k.bin", 3 << 30, "0xc0000000"},
	} {
		t.Run(tt.image+" "+tt.ram, func(t *testing.T) {
			t.Parallel()
			image, err := os.ReadFile(guesttest.File(t, "seabios/"+tt.image))
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, Config{Memory: tt.memory, Deterministic: true}, Image{Firmware: image})
			r.stepUntil(500e6, func() bool { return strings.Count(r.debug.String(), "\nRamSize: ") == 2 })
			if r.end != "" {
				t.Fatalf("ended: %s\n%s", r.end, r.debug.String())
			}
			log := r.debug.String()
			rest := log
			for _, want := range []string{
				"SeaBIOS (version ", "Running on QEMU (i440fx)\n", "Found QEMU fw_cfg\n", "RamSize: " + tt.ram + " [cmos]\n", "Relocating init from ", "PCI: map device bdf=00:01.0  bar 0, addr ",
				"PCI: init bdf=00:00.0 id=8086:1237\n", "Found 2 serial ports\n", " = 1 RAM\n",
				"No bootable device.  Retrying in 60 seconds.\n", "Rebooting.\n", "SeaBIOS (version ",
			} {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("no %q in the rest of\n%s", want, log)
				}
				rest = after
			}
			t.Logf("%d million instructions", r.Instructions()/1e6)
		})
	}
}
