package alpinevm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// symbolsOf makes an ELF file of the functions that a guest's /proc/kallsyms names: a
// kernel's own symbols are not in Debian's package.
func symbolsOf(t *testing.T, kallsyms string) string {
	t.Helper()
	var symbols, names bytes.Buffer
	add := func(s elf.Sym32) { binary.Write(&symbols, binary.LittleEndian, s) }
	names.WriteByte(0)
	add(elf.Sym32{})
	const text = 1 // the section
	first, last := ^uint32(0), uint32(0)
	for line := range strings.Lines(kallsyms) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != "t" && f[1] != "T" {
			continue // data, or of a module
		}
		at, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil || at == 0 {
			t.Fatalf("a symbol at %s", f[0])
		}
		first, last = min(first, uint32(at)), max(last, uint32(at))
		add(elf.Sym32{Name: uint32(names.Len()), Value: uint32(at), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: text})
		names.WriteString(f[2] + "\x00")
	}
	sections := "\x00.text\x00.symtab\x00.strtab\x00"
	const head = 52
	at := func(part int) uint32 { // where parts lie: symbols, names, sections' names
		return head + uint32([]int{0, symbols.Len(), symbols.Len() + names.Len(), symbols.Len() + names.Len() + len(sections)}[part])
	}
	h := elf.Header32{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: 1, Entry: first, Shoff: at(3), Ehsize: head, Phentsize: 32, Shentsize: 40, Shnum: 5, Shstrndx: 4,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x01\x01\x01")
	var file bytes.Buffer
	binary.Write(&file, binary.LittleEndian, h)
	file.Write(symbols.Bytes())
	file.Write(names.Bytes())
	file.WriteString(sections)
	binary.Write(&file, binary.LittleEndian, []elf.Section32{
		{},
		{Name: 1, Type: uint32(elf.SHT_NOBITS), Flags: uint32(elf.SHF_ALLOC | elf.SHF_EXECINSTR), Addr: first, Size: last - first + 4096, Addralign: 16},
		{Name: 7, Type: uint32(elf.SHT_SYMTAB), Off: at(0), Size: uint32(symbols.Len()), Link: 3, Info: 1, Addralign: 4, Entsize: 16},
		{Name: 15, Type: uint32(elf.SHT_STRTAB), Off: at(1), Size: uint32(names.Len()), Addralign: 1},
		{Name: 15, Type: uint32(elf.SHT_STRTAB), Off: at(2), Size: uint32(len(sections)), Addralign: 1},
	})
	name := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestGDBLinux has gdb debug Debian's kernel, by the symbols that it has itself: before
// its first instruction, where it begins, in a system call, and on to the end of the
// session.
func TestGDBLinux(t *testing.T) {
	plain := newGuest(t, sessionConfig(t, "686-pae", "cat /proc/kallsyms"))
	plain.want(plain.run(), Exited, 0)
	symbols := symbolsOf(t, plain.stdout.String())
	for _, e := range engines() {
		t.Run(string(e), func(t *testing.T) {
			var out buffer
			cfg := guestConfig(t, "686-pae", "cat /etc/hostname; echo done")
			cfg.Engine, cfg.Session.Stdout = e, &out
			d := debugMachine(t, cfg)
			d.gdb(symbols, []gdbStep{
				{"print $cr0", `\[ PE ET`},
				{"break start_kernel", `Breakpoint 1 at 0x[cd][0-9a-f]+`},
				{"continue", `Breakpoint 1, 0x[0-9a-f]+ in start_kernel \(\)`},
				{"print $cr0", `\[ .*PG \]`},
				{"print $cr4", `\[ .*PAE.* \]`},
				{"x/i $pc", `=> 0x[0-9a-f]+ <start_kernel(\+[0-9]+)?>:`},
				{"delete", `^$`},
				{"break do_sys_openat2", `Breakpoint 2 at`},
				{"continue", `Breakpoint 2, 0x[0-9a-f]+ in do_sys_openat2 \(\)`},
				{"backtrace", `#0 .* in do_sys_openat2 \(\).*#1 `},
				{"finish", `in __`},
				{"monitor translate 0", `00000000 is not mapped`},
				{"x/x 0", `Cannot access memory at address 0x0`},
				{"delete", `^$`},
				{"detach", `detached`},
			})
			if end, err := d.Wait(); err != nil || end.Cause != Exited || end.Code != 0 || !strings.HasSuffix(out.String(), "done\n") {
				t.Errorf("it ended by %s with %d, %v: %q; %s", end.Cause, end.Code, err, out.String(), end.Detail)
			}
		})
	}
}
