package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// maxModinfo bounds a module's .modinfo section, in bytes.
const maxModinfo = 1 << 20

// moduleSuffixes are the endings of module files.
var moduleSuffixes = [...]string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// moduleName is the name that modprobe and /proc/modules know the file by: "virtio-rng.ko.xz" is virtio_rng. ok is false where the file
// is no module.
func moduleName(file string) (name string, ok bool) {
	base := path.Base(file)
	for _, suffix := range moduleSuffixes {
		if name, found := strings.CutSuffix(base, suffix); found && name != "" {
			return normalName(name), true
		}
	}
	return "", false
}

// normalName spells a module's name with underscores.
func normalName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// modinfo is what the .modinfo section of a module says.
type modinfo struct {
	depends  []string // normal names
	aliases  []string
	softdeps []string
	release  string // first word of vermagic
}

// parseModinfo reads zero-terminated key=value words.
func parseModinfo(section []byte) modinfo {
	var m modinfo
	for word := range bytes.SplitSeq(section, []byte{0}) {
		key, value, ok := strings.Cut(string(word), "=")
		if !ok || strings.ContainsAny(value, "\n") {
			continue
		}
		switch key {
		case "depends":
			for dep := range strings.SplitSeq(value, ",") {
				if dep != "" {
					m.depends = append(m.depends, normalName(dep))
				}
			}
		case "alias":
			m.aliases = append(m.aliases, value)
		case "softdep":
			m.softdeps = append(m.softdeps, value)
		case "vermagic":
			m.release, _, _ = strings.Cut(value, " ")
		}
	}
	return m
}

// readModule reads a module file and decompresses it.
func readModule(fsys fs.FS, file string) ([]byte, error) {
	data, err := readFile(fsys, file, maxModule)
	if err != nil {
		return nil, err
	}
	if isELF(data) {
		return data, nil
	}
	if data, err = unpack(data, -1, maxModule); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if !isELF(data) {
		return nil, fmt.Errorf("%s: %w: it is no ELF file", file, ErrFormat)
	}
	return data, nil
}

// readModinfo reads a module's .modinfo, from a file that is not compressed without reading the rest of it.
func readModinfo(fsys fs.FS, file string) (modinfo, error) {
	if strings.HasSuffix(file, ".ko") {
		section, err := readSection(fsys, file)
		if !errors.Is(err, errors.ErrUnsupported) {
			return parseModinfo(section), err
		}
	}
	data, err := readModule(fsys, file)
	if err != nil {
		return modinfo{}, err
	}
	section, _, err := elfSection(bytes.NewReader(data), int64(len(data)), ".modinfo", maxModinfo)
	if err != nil {
		return modinfo{}, fmt.Errorf("%s: %w", file, err)
	}
	return parseModinfo(section), nil
}

// readSection reads .modinfo where the file can be read at any offset, else it returns errors.ErrUnsupported.
func readSection(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	section, _, err := elfSection(r, info.Size(), ".modinfo", maxModinfo)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return section, nil
}

// signatureMark ends a signed module. Before it stands struct module_signature, whose last four bytes are the size of the signature proper
// in front of it, with the highest byte first (Linux include/linux/module_signature.h).
const (
	signatureMark = "~Module signature appended~\n"
	signatureInfo = 12
)

// splitSignature parts a module from what signing has appended to it.
func splitSignature(data []byte) (module, signature []byte) {
	body, ok := bytes.CutSuffix(data, []byte(signatureMark))
	if !ok || len(body) < signatureInfo {
		return data, nil
	}
	n := uint64(binary.BigEndian.Uint32(body[len(body)-4:])) + signatureInfo
	if n > uint64(len(body)) {
		return data, nil
	}
	at := uint64(len(body)) - n
	return data[:at], data[at:]
}
