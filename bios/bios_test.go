package bios

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alpinevm/internal/guesttest/guestfile"
)

// memory keeps what is written, page by page, so that 3 GiB cost nothing.
type memory map[int64][]byte

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	for i, b := range p {
		at := off + int64(i)
		page := m[at>>12]
		if page == nil {
			page = make([]byte, 4096)
			m[at>>12] = page
		}
		page[at&4095] = b
	}
	return len(p), nil
}

func (m memory) read(at uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		if page := m[int64(at+uint64(i))>>12]; page != nil {
			b[i] = page[(at+uint64(i))&4095]
		}
	}
	return b
}

func (m memory) u16(at uint64) uint16 { return binary.LittleEndian.Uint16(m.read(at, 2)) }
func (m memory) u32(at uint64) uint32 { return binary.LittleEndian.Uint32(m.read(at, 4)) }
func (m memory) u64(at uint64) uint64 { return binary.LittleEndian.Uint64(m.read(at, 8)) }

func sum(b []byte) (v byte) {
	for _, x := range b {
		v += x
	}
	return v
}

func testConfig() Config {
	return Config{
		RAM: 512 << 20, PCIBase: 0xC0000000, PCIEnd: 0xFEC00000,
		Interrupts: []Interrupt{{1, 1, 10}, {2, 1, 11}, {3, 1, 5}},
		SCI:        9, PM1Event: 0x600, PM1Control: 0x604, PMTimer: 0x608, GPE: 0x60C,
		SleepOff: 5, ResetPort: 0xCF9, ResetValue: 6,
		RTC:    Device{0x70, 2, 8},
		Serial: []Device{{0x3F8, 8, 4}, {0x2F8, 8, 3}},
		UUID:   [16]byte{0: 0x11, 3: 0x44, 15: 0xFF},
	}
}

func TestMemoryMap(t *testing.T) {
	for _, ram := range []uint64{minRAM, 512 << 20, maxRAM} {
		cfg := testConfig()
		cfg.RAM = ram
		info, err := Write(memory{}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var usable, end uint64
		for _, r := range info.Memory {
			if r.Base < end || r.Size == 0 {
				t.Errorf("%d MiB: %+v begins before %#x or is empty", ram>>20, r, end)
			}
			end = r.Base + r.Size
			if r.Type == RAM {
				usable += r.Size
				if end > ram {
					t.Errorf("%d MiB: %+v is beyond RAM", ram>>20, r)
				}
			}
		}
		// All but the hole of 384 KiB, the EBDA and the tables.
		if want := ram - 385<<10 - tableSpace; usable != want {
			t.Errorf("%d MiB: %d bytes are usable, want %d", ram>>20, usable, want)
		}
		for _, at := range []uint64{info.RSDP, info.SMBIOS, uint64(info.GDT), cfg.PCIBase, fourGiB - 1} {
			if !slices.ContainsFunc(info.Memory, func(r Range) bool {
				return r.Type == Reserved && at >= r.Base && at < r.Base+r.Size
			}) {
				t.Errorf("%d MiB: %#x is not reserved", ram>>20, at)
			}
		}
	}
}

// Each ACPI table is found from the RSDP, has its checksum, and lies in memory
// that the map keeps for it.
func TestACPITables(t *testing.T) {
	m, cfg := memory{}, testConfig()
	info, err := Write(m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := m.read(info.RSDP, 36)
	if string(r[:8]) != "RSD PTR " || sum(r[:20]) != 0 || sum(r) != 0 || r[15] != 2 || info.RSDP%16 != 0 {
		t.Errorf("RSDP at %#x: %x", info.RSDP, r)
	}
	tableAt := func(at uint64, signature string) []byte {
		b := m.read(at, int(m.u32(at+4)))
		if string(b[:4]) != signature || sum(b) != 0 {
			t.Fatalf("no %s at %#x: %x", signature, at, b)
		}
		if at < cfg.RAM-tableSpace || at+uint64(len(b)) > cfg.RAM-nvsSpace {
			t.Errorf("%s at %#x is not in the ACPI range", signature, at)
		}
		return b
	}
	le := binary.LittleEndian
	rsdt := tableAt(uint64(le.Uint32(r[16:])), "RSDT")
	xsdt := tableAt(le.Uint64(r[24:]), "XSDT")
	fadtAt := le.Uint64(xsdt[36:])
	if uint64(le.Uint32(rsdt[36:])) != fadtAt || len(rsdt) != 40 || len(xsdt) != 44 {
		t.Errorf("RSDT %x and XSDT %x differ", rsdt[36:], xsdt[36:])
	}
	f := tableAt(fadtAt, "FACP")
	facsAt := uint64(le.Uint32(f[36:]))
	if b := m.read(facsAt, 8); string(b[:4]) != "FACS" || le.Uint32(b[4:]) != 64 || facsAt%64 != 0 || facsAt != cfg.RAM-nvsSpace {
		t.Errorf("FACS at %#x: %x", facsAt, b)
	}
	tableAt(uint64(le.Uint32(f[40:])), "DSDT")
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"length", uint64(len(f)), 244},
		{"X_FIRMWARE_CTRL", le.Uint64(f[132:]), facsAt},
		{"X_DSDT", le.Uint64(f[140:]), uint64(le.Uint32(f[40:]))},
		{"SCI_INT", uint64(le.Uint16(f[46:])), 9},
		{"SMI_CMD", uint64(le.Uint32(f[48:])), 0},
		{"PM1a_EVT_BLK", uint64(le.Uint32(f[56:])), 0x600},
		{"PM1a_CNT_BLK", uint64(le.Uint32(f[64:])), 0x604},
		{"PM_TMR_BLK", uint64(le.Uint32(f[76:])), 0x608},
		{"GPE0_BLK", uint64(le.Uint32(f[80:])), 0x60C},
		{"GPE0_BLK_LEN", uint64(f[92]), 2},
		{"X_GPE0_BLK", le.Uint64(f[220:]), 0x60C<<32 | 0x01001001},
		{"lengths", uint64(le.Uint32(f[88:])), 0x04000204},
		{"IAPC_BOOT_ARCH", uint64(le.Uint16(f[109:])), 0x1D},
		{"flags", uint64(le.Uint32(f[112:])), 0x565},
		{"RESET_REG", le.Uint64(f[116:]), 0xCF9<<32 | 0x01000801},
		{"RESET_VALUE", uint64(f[128]), 6},
		{"X_PM1a_EVT_BLK", le.Uint64(f[148:]), 0x600<<32 | 0x02002001},
		{"X_PM1a_CNT_BLK", le.Uint64(f[172:]), 0x604<<32 | 0x02001001},
		{"X_PM_TMR_BLK", le.Uint64(f[208:]), 0x608<<32 | 0x03002001},
		{"century", uint64(f[108]), 0x32},
	} {
		if c.got != c.want {
			t.Errorf("FADT %s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// The disassembler of ACPICA reads what it should from every table.
func TestTablesByDisassembler(t *testing.T) {
	iasl, err := exec.LookPath("iasl") // of Debian's acpica-tools
	if err != nil {
		iasl = guestfile.Path(t, "iasl")
	}
	cfg := testConfig()
	for slot := 4; slot < 32; slot++ {
		cfg.Interrupts = append(cfg.Interrupts, Interrupt{slot, 1, 10})
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		table []byte
		want  []string
	}{
		{"dsdt", table("DSDT", 2, dsdt(&cfg)), []string{
			`Name (_HID, EisaId ("PNP0A03") /* PCI Bus */)`, `Name (_HID, EisaId ("PNP0B00")`,
			`Device (COM2)`, `WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,`,
			`0xC0000000,         // Range Minimum`, `0xFEBFFFFF,         // Range Maximum`,
			`0x3EC00000,         // Length`, `IO (Decode16,`, `0x0002FFFF`, `0x001FFFFF`, `{8}`,
			`Name (\_S5, Package (0x04)`, `Device (VGEN)`, `"VM_Gen_Counter"`, `Name (ADDR, Package (0x02)`, `Method (_E00, 0, NotSerialized)`, `Notify (\_SB.VGEN, 0x80)`, `0xF300,             // Length`,
		}},
		{"facp", table("FACP", 4, fadt(&cfg, 0x1000, 0x2000)), []string{
			`Oem Revision : 00000001`, `8042 Present on ports 60/64 (V2) : 0`, `VGA Not Present (V4) : 1`,
			`32-bit PM Timer (V1) : 1`, `Reset Register Supported (V2) : 1`, `Hardware Reduced (V5) : 0`,
			`Value to cause reset : 06`, `SCI Interrupt : 0009`, `Control Method Power Button (V1) : 0`,
		}},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path+".dat", c.table, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(iasl, "-d", path+".dat").CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("rror")) {
			t.Fatalf("iasl -d %s: %v\n%s", c.name, err, out)
		}
		text, err := os.ReadFile(path + ".dsl")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !bytes.Contains(text, []byte(w)) {
				t.Errorf("%s has no %q", c.name, w)
			}
		}
		if t.Failed() || c.name != "dsdt" {
			continue
		}
		// What it has read compiles without a warning.
		if out, err := exec.Command(iasl, "-p", path+"2", path+".dsl").CombinedOutput(); err != nil ||
			!bytes.Contains(out, []byte("0 Errors, 0 Warnings")) {
			t.Errorf("iasl %s: %v\n%s", c.name, err, out)
		}
	}
}

func TestAML(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"root path", amlPath(`\_S5`), "5c5f53355f"},
		{"two segments", amlPath(`_SB.PCI0`), "2e5f53425f50434930"},
		{"three segments", amlPath(`\A.B.C`), "5c2f03415f5f5f425f5f5f435f5f5f"},
		{"zero", amlInteger(0), "00"},
		{"one", amlInteger(1), "01"},
		{"byte", amlInteger(0xFF), "0aff"},
		{"word", amlInteger(0x100), "0b0001"},
		{"doubleword", amlInteger(0x10000), "0c00000100"},
		{"quadword", amlInteger(1 << 32), "0e0000000001000000"},
		{"EISA", amlEISA("PNP0A03"), "0c41d00a03"},
		{"package", amlPackage(amlInteger(5), amlInteger(0)), "1205020a0500"},
		{"resources", amlResources(resourceIRQ(8)), "11080a05220001" + "7900"},
		{"ports", resourcePorts(0x3F8, 8), "4701f803f8030108"},
	} {
		if got := fmt.Sprintf("%x", c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		body int
		head string
	}{{0, "01"}, {62, "3f"}, {63, "4104"}, {4093, "4fff"}, {4094, "810001"}, {1<<20 - 4, "8fffff"}, {1<<20 - 3, "c1000001"}} {
		if got := amlPackageLength(make([]byte, c.body)); fmt.Sprintf("%x", got[:len(got)-c.body]) != c.head {
			t.Errorf("a body of %d bytes has the length %x, want %s", c.body, got[:len(got)-c.body], c.head)
		}
	}
}

func TestSMBIOS(t *testing.T) {
	m, cfg := memory{}, testConfig()
	info, err := Write(m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := m.read(info.SMBIOS, 31)
	if string(e[:4]) != "_SM_" || sum(e) != 0 || string(e[16:21]) != "_DMI_" || sum(e[16:]) != 0 || info.SMBIOS%16 != 0 {
		t.Errorf("entry point at %#x: %x", info.SMBIOS, e)
	}
	le := binary.LittleEndian
	b := m.read(uint64(le.Uint32(e[24:])), int(le.Uint16(e[22:])))
	var types []byte
	lengths := map[byte]int{0: 0x18, 1: 0x1B, 3: 0x15, 4: 0x2A, 16: 0x17, 17: 0x28, 19: 0x1F, 32: 0x0B, 127: 4}
	longest := 0
	for i := 0; len(b) > 0; i++ {
		typ, n := b[0], int(b[1])
		if n != lengths[typ] || int(le.Uint16(b[2:])) != i {
			t.Errorf("structure %d: type %d, length %#x, handle %d", i, typ, n, le.Uint16(b[2:]))
		}
		types = append(types, typ)
		switch typ {
		case 0:
			if !bytes.HasPrefix(b[n:], []byte("alpinevm\x001.0\x0001/01/2026\x00\x00")) {
				t.Errorf("strings of type 0: %q", b[n:n+40])
			}
		case 1:
			if got := fmt.Sprintf("%x", b[8:24]); got != "440000110000000000000000000000ff" {
				t.Errorf("UUID %s", got)
			}
		case 17:
			if le.Uint16(b[0x0C:]) != 512 || int(le.Uint16(b[4:])) != i-1 {
				t.Errorf("memory of %d MiB in array %d", le.Uint16(b[0x0C:]), le.Uint16(b[4:]))
			}
		case 19:
			if le.Uint32(b[8:]) != 512<<10-1 {
				t.Errorf("memory ends at KiB %d", le.Uint32(b[8:]))
			}
		}
		end := n + bytes.Index(b[n:], []byte{0, 0}) + 2
		longest = max(longest, end)
		b = b[end:]
	}
	if want := []byte{0, 1, 3, 4, 16, 17, 19, 32, 127}; !bytes.Equal(types, want) || int(le.Uint16(e[28:])) != len(want) {
		t.Errorf("types %v, counted %d, want %v", types, le.Uint16(e[28:]), want)
	}
	if int(le.Uint16(e[8:])) != longest {
		t.Errorf("longest structure %d, want %d", le.Uint16(e[8:]), longest)
	}
}

func TestLowMemory(t *testing.T) {
	m := memory{}
	info, err := Write(m, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	if m.u16(0x400) != 0x3F8 || m.u16(0x402) != 0x2F8 || m.u16(0x404) != 0 {
		t.Errorf("serial ports %#x %#x %#x", m.u16(0x400), m.u16(0x402), m.u16(0x404))
	}
	if m.u16(0x40E) != 0x9FC0 || m.u16(0x413) != 639 || m.u16(0x410) != 0x402 || m.read(0x9FC00, 1)[0] != 1 {
		t.Errorf("EBDA %#x, %d KiB, equipment %#x", m.u16(0x40E), m.u16(0x413), m.u16(0x410))
	}
	g := uint64(info.GDT)
	if info.GDTLimit != 31 || m.u64(g+CodeSelector) != 0x00CF9B000000FFFF || m.u64(g+DataSelector) != 0x00CF93000000FFFF ||
		m.u64(g) != 0 {
		t.Errorf("GDT at %#x, limit %d: %x", g, info.GDTLimit, m.read(g, 32))
	}
}

type brokenMemory struct{}

func (brokenMemory) WriteAt([]byte, int64) (int, error) { return 0, errors.New("no memory") }

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.RAM = 8 << 20 }, "RAM"},
		{func(c *Config) { c.RAM = 4 << 30 }, "RAM"},
		{func(c *Config) { c.RAM += 100 }, "whole pages"},
		{func(c *Config) { c.PCIBase = 256 << 20 }, "window"},
		{func(c *Config) { c.PCIEnd = c.PCIBase }, "window"},
		{func(c *Config) { c.PCIEnd = 1 << 32 }, "window"},
		{func(c *Config) { c.PCIBase += 4096 }, "window"},
		{func(c *Config) { c.Serial = make([]Device, 5) }, "serial"},
		{func(c *Config) { c.SCI = 16 }, "SCI"},
		{func(c *Config) { c.Interrupts[0].Pin = 0 }, "interrupt"},
		{func(c *Config) { c.Interrupts[0].Slot = 32 }, "interrupt"},
		{func(c *Config) { c.Interrupts[0].Line = 16 }, "interrupt"},
	} {
		cfg := testConfig()
		c.edit(&cfg)
		if _, err := Write(memory{}, cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := Write(brokenMemory{}, testConfig()); err == nil || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("an error of the memory became %v", err)
	}
}

func TestPlaceROM(t *testing.T) {
	for _, c := range []struct {
		size      int
		high, low uint64
	}{
		{64 << 10, 0xFFFF0000, 0xF0000},
		{128 << 10, 0xFFFE0000, 0xE0000},
		{192 << 10, 0xFFFD0000, 0xE0000},
		{256 << 10, 0xFFFC0000, 0xE0000},
		{1 << 20, 0xFFF00000, 0xE0000},
		{3653632, 0xFFC84000, 0xE0000}, // OVMF's code
		{4 << 20, 0xFFC00000, 0xE0000},
	} {
		image := make([]byte, c.size)
		image[c.size-1] = 0xEA
		r, err := PlaceROM(image)
		if err != nil || r.High != c.high || r.Low != c.low || r.Low+uint64(len(r.Tail)) != romEnd || r.Tail[len(r.Tail)-1] != 0xEA {
			t.Errorf("%d KiB: %#x, %#x, tail of %d, %v", c.size>>10, r.High, r.Low, len(r.Tail), err)
		}
	}
	for _, n := range []int{0, 1, 32 << 10, 60 << 10, 64<<10 + 1, 64<<10 + 512, 4<<20 + 4096, 8 << 20} {
		if _, err := PlaceROM(make([]byte, n)); err == nil {
			t.Errorf("an image of %d bytes was placed", n)
		}
	}
}
