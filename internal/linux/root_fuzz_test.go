package linux

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/kernel"
)

// places are what the host reads of a guest's root, and the folders on the way there.
var places = []string{
	"etc/passwd", "etc/group", "etc/inittab", "etc", "bin/busybox", "bin", "lib/ld-musl-i386.so.1", "lib", "sbin/init", "lib/modules",
	"lib/modules/1", "lib/modules/1/modules.dep", "lib/modules/1/modules.builtin", "lib/modules/1/kernel/9p.ko", "lib/modules/1/kernel/9p.ko.gz",
}

// contents begin a file.
var contents = [][]byte{
	nil, []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"), []byte("kernel/9p.ko: kernel/9p.ko\n"),
	{0x7f, 'E', 'L', 'F', 1, 1, 1}, {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte(":"), 1<<16), bytes.Repeat([]byte("x\n"), 1<<12),
}

// hostileRoot makes of each four bytes of an input something at one of the places: a file
// that begins with something and has a size, a folder of many, a link or a pipe.
func hostileRoot(t *testing.T, in []byte) fs9p.FS {
	root := memfs.New(memfs.Config{Limit: 8 << 20, Files: 4096})
	for ; len(in) >= 4; in = in[4:] {
		name := places[int(in[0])%len(places)]
		switch in[1] % 8 {
		case 0:
			root.Add(name, memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: "/" + places[int(in[2])%len(places)]})
		case 1:
			root.Add(name, memfs.Entry{Mode: fs9p.ModeDir | 0o755})
		case 2:
			root.Add(name, memfs.Entry{Mode: 0o010644})
		case 3:
			for i := range in[2] {
				root.Add(name+"/"+string(rune('a'+i)), memfs.Entry{})
			}
		default:
			root.Add(name, memfs.Entry{Data: bytes.NewReader(contents[int(in[2])%len(contents)])})
			resize(t, root, name, uint64(1)<<(in[3]%64)-uint64(in[3]>>7))
		}
	}
	return root
}

// resize gives a file that is there a size, without data.
func resize(t *testing.T, root fs9p.FS, name string, size uint64) {
	n, err := root.Attach("")
	for _, part := range strings.Split(name, "/") {
		if err != nil {
			return // something else is on the way
		}
		var next fs9p.Node
		next, err = n.Walk(part)
		n.Release()
		n = next
	}
	if err != nil {
		return
	}
	defer n.Release()
	if err := n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize, Size: size}); err != nil {
		t.Logf("%s of %d bytes: %v", name, size, err)
	}
}

// FuzzRoot has the host read roots that a guest or an image has made. Whatever is in the
// place of what it reads, and however large that says it is, what the host spends is bounded.
func FuzzRoot(f *testing.F) {
	for i := range byte(len(places)) {
		for content := range byte(4) {
			f.Add([]byte{13, 4, 0, 5, 4, 4, 3, 20, i, 4, content, 43}) // 8 TiB
		}
		f.Add([]byte{i, 0, i, 0, i, 0, (i + 1) % 15, 0, (i + 1) % 15, 0, i, 0}) // links in a circle
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 200 {
			return
		}
		root := fs9p.IOFS(hostileRoot(t, in))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, name := range []string{"", "root", "user:user", "1000", "no:body"} {
			LookupUser(root, name)
		}
		fs9p.ReadFile(root, "etc/inittab", maxInittab)
		kernel.RootTools(root)
		if mods, err := kernel.OpenModules(root, "1"); err == nil {
			mods.Load("9p")
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
			t.Errorf("the host has allocated %d bytes", n)
		}
	})
}
