package kernel

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// A step is one thing that makes the guest's files what its session is to find, by absolute names in the initial root.
type step struct {
	op     string // folder, file: made where it is missing; write: data; mount: Mount at name; seal: the file system at name is read-only from here on
	name   string
	source string
	typ    string
	opts   string // as mount(8) has them
	mode   uint32
	data   []byte
}

// String is for who reads a test.
func (s step) String() string {
	switch s.op {
	case "mount":
		return fmt.Sprintf("mount %s %s %s %s", s.source, s.name, s.typ, s.opts)
	case "write":
		return fmt.Sprintf("write %s %o %q", s.name, s.mode, s.data)
	}
	return s.op + " " + s.name
}

// plan is what happens between the guest's modules and its session, in order. root is as for Setup.
func (r *Initramfs) plan(root fs.FS) []step {
	var list []step
	folder := func(name string) { list = append(list, step{op: "folder", name: name}) }
	mount := func(source, target, typ, options string) {
		list = append(list, step{op: "mount", name: target, source: source, typ: typ, opts: options})
	}
	bind := func(source, target string) {
		folder(path.Dir(target))
		list = append(list, step{op: "file", name: target})
		mount(source, target, "none", "bind")
	}
	write := func(f GuestFile) {
		list = append(list, step{op: "write", name: f.Name, mode: f.Mode, data: f.Data})
	}
	folder(sysroot)
	mount(r.Root.Source, sysroot, r.Root.Type, r.Root.Options)
	for i, m := range r.Mounts {
		target := inRoot(root, m.Target)
		if m.File == "" {
			folder(target)
			mount(m.Source, target, m.Type, m.Options)
			continue
		}
		whole := path.Join(volumes, strconv.Itoa(i))
		folder(whole)
		mount(m.Source, whole, m.Type, m.Options)
		bind(path.Join(whole, m.File), target)
	}
	for i, f := range r.Files {
		at := path.Join(replaced, strconv.Itoa(i))
		folder(replaced)
		write(GuestFile{at, f.Mode, f.Data})
		bind(at, inRoot(root, f.Name))
	}
	if r.Init {
		for _, tty := range strings.Fields(terminals) {
			write(GuestFile{"/inittab." + tty, 0o644, []byte(inittab(r.Inittab, tty, r.Term))})
		}
		write(GuestFile{"/autologin", 0o755, []byte(autologin)})
		bind("/autologin", path.Join(sysroot, autologinPath))
	}
	if dir := r.Program.Dir; dir != "" {
		folder(inRoot(root, dir))
	}
	if r.Init {
		list = append(list, step{op: "file", name: path.Join(sysroot, "/etc/inittab")})
	}
	if r.ReadOnly {
		list = append(list, step{op: "seal", name: sysroot})
	}
	return list
}

// mountWords are the options of mount(8) that are flags of mount(2) (include/uapi/linux/mount.h), and those that take one away.
var mountWords = map[string]struct {
	flag uint32
	off  bool
}{
	"defaults": {}, "ro": {flag: mountReadOnly}, "rw": {mountReadOnly, true}, "nosuid": {flag: 1 << 1}, "suid": {1 << 1, true}, "nodev": {flag: 1 << 2},
	"dev": {1 << 2, true}, "noexec": {flag: 1 << 3}, "exec": {1 << 3, true}, "sync": {flag: 1 << 4}, "async": {1 << 4, true}, "remount": {flag: mountRemount},
	"mand": {flag: 1 << 6}, "nomand": {1 << 6, true}, "dirsync": {flag: 1 << 7}, "nosymfollow": {flag: 1 << 8}, "noatime": {flag: 1 << 10},
	"atime": {1 << 10, true}, "nodiratime": {flag: 1 << 11}, "diratime": {1 << 11, true}, "bind": {flag: mountBind}, "rbind": {flag: mountBind | mountRecursive},
	"silent": {flag: mountSilent}, "loud": {mountSilent, true}, "relatime": {flag: 1 << 21}, "norelatime": {1 << 21, true}, "strictatime": {flag: 1 << 24},
	"lazytime": {flag: 1 << 25}, "nolazytime": {1 << 25, true},
}

const (
	mountReadOnly  = 1
	mountRemount   = 1 << 5
	mountBind      = 1 << 12
	mountMove      = 1 << 13
	mountRecursive = 1 << 14
	mountSilent    = 1 << 15
	mountPrivate   = 1 << 18
)

// mountFlags parts the options of mount(8) into what mount(2) takes.
func mountFlags(options string) (flags uint32, data string) {
	flags = mountSilent
	var rest []string
	for word := range strings.SplitSeq(options, ",") {
		w, known := mountWords[word]
		switch {
		case !known && word != "":
			rest = append(rest, word)
		case w.off:
			flags &^= w.flag
		default:
			flags |= w.flag
		}
	}
	return flags, strings.Join(rest, ",")
}
