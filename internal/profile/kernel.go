package profile

import (
	"bytes"
	"strconv"
	"strings"
)

// maxKallsyms bounds what the kernel says of itself, in bytes.
const maxKallsyms = 64 << 20

// Kallsyms takes a part of what a kernel says in /proc/kallsyms: lines of an address,
// a letter and a name, and, for one of a module, that in brackets.
func (p *Profile) Kallsyms(part []byte) {
	if len(p.kallsyms)+len(part) <= maxKallsyms {
		p.kallsyms = append(p.kallsyms, part...)
	}
}

// KernelFile takes the symbols of a kernel that is an ELF file, if it has any.
func (p *Profile) KernelFile(data []byte) {
	m := &module{file: nopCloser{bytes.NewReader(data)}}
	if m.parse() {
		p.kernel = *m.table(&p.left)
	}
}

// nopCloser is a File in memory.
type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// parseKallsyms makes the kernel's symbols of what it has said. A kernel that hides
// its addresses says zeros.
func (p *Profile) parseKallsyms() {
	if p.kallsyms == nil {
		return
	}
	var list symbols
	for line := range strings.Lines(string(p.kallsyms)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) != 1 || !strings.Contains("tTwW", f[1]) {
			continue
		}
		if a, err := strconv.ParseUint(f[0], 16, 32); err == nil && a != 0 {
			list = append(list, symbol{address: uint32(a), name: strings.Join(f[2:], " ")})
		}
	}
	p.kallsyms = nil
	if len(list) > 0 {
		p.kernel = sorted(list)
	}
}
