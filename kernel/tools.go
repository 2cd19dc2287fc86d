package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tools are the programs of the initramfs: one busybox and what it needs to run.
type Tools struct {
	Busybox []byte            // i386 executable
	Loader  map[string][]byte // files that a dynamic busybox needs, by absolute name; empty for a static one
}

// ErrTools says that a busybox cannot serve in the initramfs.
var ErrTools = errors.New("busybox is not usable")

// applets are what the scripts of the initramfs call.
var applets = [...]string{
	"cat", "chroot", "cp", "dd", "init", "mkfifo", "modprobe", "mount", "poweroff", "sh", "sleep", "switch_root",
}

// wishes are what they call and can do without.
var wishes = [...]string{"stty"}

// RootTools takes the tools from a root file system: its busybox and, where that is linked against musl, the loader, which is all
// of musl. An error that wraps ErrTools or fs.ErrNotExist means that tools from elsewhere are needed.
func RootTools(root fs.FS) (Tools, error) {
	name, err := Resolve(root, "bin/busybox")
	if err != nil {
		return Tools{}, fmt.Errorf("initramfs: %w", err)
	}
	data, err := readFile(root, name, maxProgram)
	if err != nil {
		return Tools{}, fmt.Errorf("initramfs: %w", err)
	}
	interp, needed, err := dynamicInfo(data)
	if err != nil {
		return Tools{}, fmt.Errorf("initramfs: /bin/busybox: %w", err)
	}
	t := Tools{Busybox: data}
	if interp != "" {
		if i := slices.IndexFunc(needed, func(lib string) bool { return !strings.HasPrefix(lib, "libc.musl-") }); i >= 0 {
			return Tools{}, fmt.Errorf("initramfs: /bin/busybox needs %s: %w", needed[i], ErrTools)
		}
		at, err := Resolve(root, strings.TrimPrefix(interp, "/"))
		if err != nil {
			return Tools{}, fmt.Errorf("initramfs: %w", err)
		}
		loader, err := readFile(root, at, maxProgram)
		if err != nil {
			return Tools{}, fmt.Errorf("initramfs: %w", err)
		}
		t.Loader = map[string][]byte{interp: loader}
	}
	return t, t.check()
}

// StaticTools makes tools of a statically linked i386 busybox.
func StaticTools(busybox []byte) (Tools, error) {
	interp, _, err := dynamicInfo(busybox)
	if err != nil {
		return Tools{}, fmt.Errorf("initramfs: busybox: %w", err)
	}
	if interp != "" {
		return Tools{}, fmt.Errorf("initramfs: %w: it is linked dynamically", ErrTools)
	}
	t := Tools{Busybox: busybox}
	return t, t.check()
}

// check tells which applet is missing, where the busybox has a table to look in.
func (t Tools) check() error {
	list := appletTable(t.Busybox)
	if len(list) == 0 {
		return nil
	}
	for _, a := range applets {
		if !slices.Contains(list, a) {
			return fmt.Errorf("initramfs: %w: it lacks the applet %s", ErrTools, a)
		}
	}
	return nil
}

// appletTable reads the names of a busybox's applets: zero-terminated, in order, "[" and "[[" first. It is empty where the
// busybox keeps them otherwise.
func appletTable(busybox []byte) []string {
	const head = "\x00[\x00[[\x00"
	at := bytes.Index(busybox, []byte(head))
	if at < 0 {
		return nil
	}
	var list []string
	for word := range bytes.SplitSeq(busybox[at+1:], []byte{0}) {
		if len(word) == 0 || len(word) > 32 || (len(list) > 0 && string(word) <= list[len(list)-1]) {
			break
		}
		list = append(list, string(word))
	}
	if len(list) < 8 {
		return nil
	}
	return list
}

// ELF program header types and dynamic tags (System V gABI 4.1).
const (
	elfDynamic   = 2
	elfInterp    = 3
	tagNull      = 0
	tagNeeded    = 1
	tagStringTab = 5
)

// dynamicInfo reads the interpreter and the needed libraries of a 32-bit x86 program; both are empty for a static one.
func dynamicInfo(data []byte) (interp string, needed []string, err error) {
	le := binary.LittleEndian
	if len(data) < elfHeaderSize || !isELF(data) || data[4] != elfClass32 || data[5] != elfLittle || le.Uint16(data[18:]) != elfMachine386 {
		return "", nil, fmt.Errorf("%w: not a 32-bit x86 program", ErrTools)
	}
	phoff, size, n := uint64(le.Uint32(data[28:])), uint64(le.Uint16(data[42:])), uint64(le.Uint16(data[44:]))
	if size < elfProgSize || n > elfMaxSegments || phoff+n*size > uint64(len(data)) {
		return "", nil, fmt.Errorf("%w: bad ELF program headers", ErrTools)
	}
	var dynamic []byte
	toFile := func(vaddr uint32) (int, bool) { return 0, false }
	for i := range n {
		h := data[phoff+i*size:]
		off, vaddr, fileSize := uint64(le.Uint32(h[4:])), le.Uint32(h[8:]), uint64(le.Uint32(h[16:]))
		if off+fileSize > uint64(len(data)) {
			return "", nil, fmt.Errorf("%w: it is truncated", ErrTools)
		}
		switch le.Uint32(h) {
		case elfInterp:
			interp = cString(append([]byte{0}, data[off:off+fileSize]...), 1, 256)
		case elfDynamic:
			dynamic = data[off : off+fileSize]
		case elfLoad:
			next := toFile
			toFile = func(v uint32) (int, bool) {
				if v >= vaddr && uint64(v-vaddr) < fileSize {
					return int(off) + int(v-vaddr), true
				}
				return next(v)
			}
		}
	}
	if interp == "" {
		return "", nil, nil
	}
	strtab, names := -1, []uint32(nil)
	for d := dynamic; len(d) >= 8 && le.Uint32(d) != tagNull; d = d[8:] {
		switch le.Uint32(d) {
		case tagNeeded:
			names = append(names, le.Uint32(d[4:]))
		case tagStringTab:
			if at, ok := toFile(le.Uint32(d[4:])); ok {
				strtab = at
			}
		}
	}
	for _, name := range names {
		lib := ""
		if strtab >= 0 {
			lib = cString(data, strtab+int(name), 256)
		}
		if lib == "" {
			return "", nil, fmt.Errorf("%w: bad dynamic section", ErrTools)
		}
		needed = append(needed, lib)
	}
	return interp, needed, nil
}

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// Resolve follows the symbolic links in name inside root, where an absolute link starts at root again and ".." stops there, and gives a
// name as io/fs has it. A last part that does not exist is kept, with an error that wraps fs.ErrNotExist.
func Resolve(root fs.FS, name string) (string, error) {
	links := 0
	todo := strings.Split(strings.Trim(name, "/"), "/")
	at := "."
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := fs.Lstat(root, next)
		if err != nil {
			return path.Join(append([]string{next}, todo...)...), err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many symbolic links", name)
		}
		target, err := fs.ReadLink(root, next)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(target, "/") {
			at = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}
