package kernel

import (
	"bytes"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func testInitramfs() *Initramfs {
	return &Initramfs{
		Tools:    Tools{Busybox: []byte("busybox"), Loader: map[string][]byte{"/lib/ld-musl-i386.so.1": []byte("musl")}},
		Modules:  []ModuleFile{{Name: "a", Data: []byte("A"), Signature: []byte("S")}, {Name: "b", Deps: []string{"x", "a"}, Data: []byte("B")}},
		Release:  "6.6.1",
		Root:     Mount{Type: "9p", Source: "root", Options: Options9P(512000, "loose")},
		Mounts:   StandardMounts(),
		Hostname: "vm",
		CtlMsize: 131072,
		Program:  Program{Args: []string{"echo", "it's", "a\nb"}, Env: []string{"A=1 2", "B='"}},
	}
}

// build gives what is in the guest's initial root, from the archive and from the host.
func build(t *testing.T, r *Initramfs, root fs.FS) map[string]cpioEntry {
	t.Helper()
	b, err := r.Build()
	if err != nil {
		t.Fatal(err)
	}
	_, entries := readCPIO(t, b)
	setup, err := r.Setup(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range setup {
		entries[strings.TrimPrefix(f.Name, "/")] = cpioEntry{mode: 0o100000 | uint64(f.Mode), data: string(f.Data)}
	}
	return entries
}

func TestBuild(t *testing.T) {
	e := build(t, testInitramfs(), nil)
	for name, mode := range map[string]uint64{
		"init": 0o100755, "session": 0o100755, "down": 0o100755, "survivors": 0o100644, "sbin/modprobe": 0o100755, "start": 0o100500,
		"close": 0o100500, "off": 0o100500, "enter": 0o100500, "config": 0o100444, "bin/busybox": 0o100755, "bin/sh": 0o120777,
		"lib/ld-musl-i386.so.1": 0o100755, "dev/console": 0o020600, "dev/null": 0o020666, "sysroot": 0o040755, "ctl": 0o040755,
		"lib/modules/6.6.1/kernel/a.ko": 0o100644, "lib/modules/6.6.1/kernel/a.ko.sig": 0o100644,
	} {
		if got, ok := e[name]; !ok || got.mode != mode {
			t.Errorf("%s: mode %o, want %o", name, got.mode, mode)
		}
	}
	if dep := e["lib/modules/6.6.1/modules.dep"].data; dep != "kernel/a.ko:\nkernel/b.ko: kernel/a.ko kernel/x.ko\n" {
		t.Errorf("modules.dep %q", dep)
	}
	if c := e["config"].data; !strings.Contains(e["boot"].data, "MODULES='a b'\n") || c != "TTY=0\nINIT=0\nMERGED=0\nIDLE=0\n" {
		t.Errorf("config %q", c)
	}
	if c := e["start"].data; !strings.Contains(c, "vm\x00") || strings.Contains(c, "dirty_bytes") {
		t.Errorf("no limits were given, and the host's name is vm: %q", c)
	}
	r := testInitramfs()
	r.Dirty = 100 << 20
	if c := build(t, r, nil)["start"].data; !strings.Contains(c, "dirty_bytes\x00") || !strings.Contains(c, "131072000\x00") || !strings.Contains(c, "104857600\x00") {
		t.Errorf("start %q", c)
	}
	b1, _ := testInitramfs().Build()
	other := testInitramfs()
	other.Program, other.Hostname, other.TTY, other.Mounts = Program{Args: []string{"other"}}, "other", true, nil
	if b2, _ := other.Build(); !bytes.Equal(b1, b2) {
		t.Error("what the archive should not depend on gives another one")
	}
}

// TestPlan: what is mounted where, through the root's links, in the order that is asked for.
func TestPlan(t *testing.T) {
	root := fstest.MapFS{
		"var/run":    {Data: []byte("/run"), Mode: fs.ModeSymlink},
		"run":        {Mode: fs.ModeDir | 0o755},
		"home/me":    {Mode: fs.ModeDir | 0o755},
		"home/other": {Data: []byte("me"), Mode: fs.ModeSymlink},
	}
	r := testInitramfs()
	r.Mounts = []Mount{
		{Type: "tmpfs", Source: "run", Target: "/run"},
		{Type: "9p", Source: "v0", Target: "/var/run/my data", Options: "o"},
		{Type: "9p", Source: "v1", Target: "/home/other/x", File: "conf"},
	}
	r.Files = []GuestFile{{"/etc/resolv.conf", 0o644, []byte("nameserver\n")}}
	r.Program.Dir, r.ReadOnly = "/home/other/../other", true
	want := []string{
		"folder /sysroot", "mount root /sysroot 9p trans=virtio,version=9p2000.L,msize=512000,cache=loose",
		"folder /sysroot/run", "mount run /sysroot/run tmpfs ",
		"folder /sysroot/run/my data", "mount v0 /sysroot/run/my data 9p o",
		"folder /volumes/2", "mount v1 /volumes/2 9p ",
		"folder /sysroot/home/me", "file /sysroot/home/me/x", "mount /volumes/2/conf /sysroot/home/me/x none bind",
		"folder /files", `write /files/0 644 "nameserver\n"`,
		"folder /sysroot/etc", "file /sysroot/etc/resolv.conf", "mount /files/0 /sysroot/etc/resolv.conf none bind",
		"folder /sysroot/home/me", "seal /sysroot",
	}
	var got []string
	for _, s := range r.plan(root) {
		got = append(got, s.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p := build(t, r, root)["enter"].data; !strings.Contains(p, "\x00/home/me\x00") {
		t.Errorf("the program does not begin in /home/me: %q", p)
	}
}

// TestMountFlags: options are taken apart as mount(8) does.
func TestMountFlags(t *testing.T) {
	for _, tt := range []struct {
		options string
		flags   uint32
		data    string
	}{
		{"", 0, ""},
		{"defaults", 0, ""},
		{"nosuid,nodev,noexec,gid=5,mode=620,ptmxmode=666", 0xe, "gid=5,mode=620,ptmxmode=666"},
		{"size=64m,ro,noatime", 0x401, "size=64m"},
		{"ro,rw,noexec,exec", 0, ""},
		{"trans=virtio,version=9p2000.L,aname=/a b", 0, "trans=virtio,version=9p2000.L,aname=/a b"},
		{"rbind", 0x5000, ""},
	} {
		if flags, data := mountFlags(tt.options); flags != tt.flags|mountSilent || data != tt.data {
			t.Errorf("%q: %#x %q", tt.options, flags, data)
		}
	}
}

// TestScripts lets a shell check the syntax of every script.
func TestScripts(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	e := build(t, testInitramfs(), nil)
	for _, name := range []string{"init", "session", "down", "survivors", "sbin/modprobe", "config", "boot"} {
		cmd := exec.Command(sh, "-n")
		cmd.Stdin = strings.NewReader(e[name].data)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, change := range map[string]func(*Initramfs){
		"no busybox":       func(r *Initramfs) { r.Tools = Tools{} },
		"bad host name":    func(r *Initramfs) { r.Hostname = "a b" },
		"no program":       func(r *Initramfs) { r.Program.Args = nil },
		"too many groups":  func(r *Initramfs) { r.Program.Groups = make([]uint32, MaxGroups+1) },
		"bad variable":     func(r *Initramfs) { r.Program.Env = []string{"=x"} },
		"relative target":  func(r *Initramfs) { r.Mounts = append(r.Mounts, Mount{Target: "data"}) },
		"relative folder":  func(r *Initramfs) { r.Program.Dir = "work" },
		"zero byte":        func(r *Initramfs) { r.Program.Args = []string{"a\x00"} },
		"file given twice": func(r *Initramfs) { r.Modules = append(r.Modules, r.Modules[0]) },
	} {
		r := testInitramfs()
		change(r)
		_, err := r.Build()
		if _, e := r.Setup(nil); err == nil && e == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r := testInitramfs()
	r.Tools = Tools{}
	if _, err := r.Build(); !errors.Is(err, ErrTools) {
		t.Error(err)
	}
}

func TestInittab(t *testing.T) {
	const getty = "respawn:/sbin/getty -n -l /run/alpinevm/autologin "
	for _, row := range []struct{ name, image, want string }{
		{"busybox", "# a:b:c:d\n::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n::respawn:/sbin/getty -L ttyS0 9600 vt100\n" +
			"::askfirst:/bin/sh\n::shutdown:/sbin/openrc shutdown",
			"# a:b:c:d\n::sysinit:/sbin/openrc sysinit\n::askfirst:/bin/sh\n::shutdown:/sbin/openrc shutdown\nhvc0::" + getty + "0 hvc0 xterm\n"},
		{"sysvinit", "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n1:2345:respawn:/sbin/getty --noclear 38400 tty1\n",
			"id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nvm:2345:" + getty + "38400 hvc0 xterm\n"},
		{"none", "", "hvc0::" + getty + "0 hvc0 xterm\n::shutdown:/bin/umount -a -r\n"},
	} {
		if got := inittab(row.image, "hvc0", "xterm"); got != row.want {
			t.Errorf("%s: got\n%swant\n%s", row.name, got, row.want)
		}
	}
	r := testInitramfs()
	r.Init, r.Inittab = true, "::askfirst:/bin/sh\n"
	r.Program = Program{}
	var got []string
	for _, s := range r.plan(nil) {
		got = append(got, s.String())
	}
	for _, want := range []string{
		`write /inittab.ttyS0 644 "::askfirst:/bin/sh\nttyS0::respawn:`, "write /autologin 755 ", "file /sysroot/etc/inittab",
		"mount /autologin /sysroot/run/alpinevm/autologin none bind",
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
}
