package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"alpinevm/internal/guesttest/guestfile"
)

// koFile makes a module: an ELF file with a .modinfo section of the given words.
func koFile(words ...string) []byte {
	le := binary.LittleEndian
	info := strings.Join(words, "\x00") + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	b := make([]byte, elfHeaderSize)
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], 1)
	le.PutUint16(b[18:], elfMachine386)
	b = append(b, info+names...)
	le.PutUint32(b[32:], uint32(len(b)))
	le.PutUint16(b[46:], elfSectSize)
	le.PutUint16(b[48:], 3)
	le.PutUint16(b[50:], 2)
	for _, s := range [3][3]uint32{{}, {1, elfHeaderSize, uint32(len(info))}, {10, uint32(elfHeaderSize + len(info)), uint32(len(names))}} {
		h := make([]byte, elfSectSize)
		le.PutUint32(h, s[0])
		le.PutUint32(h[16:], s[1])
		le.PutUint32(h[20:], s[2])
		b = append(b, h...)
	}
	return b
}

const testMagic = "vermagic=6.6.1 SMP mod_unload PENTIUMM"

// testModules is a folder as a package has it: virtio_net needs two, one of which needs virtio; virtio_ring is built in.
func testModules(prefix string) fstest.MapFS {
	f := fstest.MapFS{}
	add := func(name string, data []byte) { f[prefix+name] = &fstest.MapFile{Data: data} }
	add("kernel/drivers/virtio/virtio.ko", koFile("depends=virtio_ring", testMagic))
	add("kernel/drivers/virtio/virtio_pci.ko.gz", gzipped(koFile("depends=virtio,virtio_ring", "alias=pci:v00001AF4d*", testMagic)))
	add("kernel/drivers/net/net-failover.ko", koFile("depends=virtio", testMagic))
	add("kernel/drivers/net/virtio_net.ko", koFile("depends=net-failover,virtio", "alias=virtio:d00000001v*", "softdep=pre: crc32c", testMagic))
	add("kernel/fs/broken.ko", koFile("depends=absent", testMagic))
	add("kernel/fs/ring1.ko", koFile("depends=ring2", testMagic))
	add("kernel/fs/ring2.ko", koFile("depends=ring1", testMagic))
	add("modules.builtin", []byte("kernel/drivers/virtio/virtio_ring.ko\nkernel/net/packet/af_packet.ko\n"))
	return f
}

func names(files []ModuleFile) (list []string) {
	for _, f := range files {
		list = append(list, f.Name)
	}
	return list
}

func TestModulesLoad(t *testing.T) {
	dep := "kernel/drivers/virtio/virtio.ko:\nkernel/drivers/virtio/virtio_pci.ko.gz: kernel/drivers/virtio/virtio.ko\n" +
		"kernel/drivers/net/net-failover.ko: kernel/drivers/virtio/virtio.ko\n" +
		"kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net-failover.ko kernel/drivers/virtio/virtio.ko\n" +
		"kernel/fs/broken.ko: kernel/fs/absent.ko\n"
	for _, row := range []struct {
		name, drivers, want, err string
	}{
		{"one", "virtio_pci", "virtio virtio_pci", ""},
		{"several", "virtio-pci virtio_net", "virtio virtio_pci net_failover virtio_net", ""},
		{"built in", "af_packet virtio_ring", "", ""},
		{"twice", "virtio virtio", "virtio", ""},
		{"unknown", "virtio 9p", "", "no driver 9p"},
		{"missing dependency", "broken", "", "absent"},
	} {
		for _, how := range []string{"depends", "modules.dep"} {
			t.Run(row.name+" by "+how, func(t *testing.T) {
				fsys := testModules("lib/modules/6.6.1/")
				if how == "modules.dep" {
					fsys["lib/modules/6.6.1/modules.dep"] = &fstest.MapFile{Data: []byte(dep)}
				}
				m, err := OpenModules(fsys, "6.6.1")
				if err != nil {
					t.Fatal(err)
				}
				files, err := m.Load(strings.Fields(row.drivers)...)
				if row.err != "" {
					if err == nil || !strings.Contains(err.Error(), row.err) {
						t.Errorf("error %v, want %q", err, row.err)
					}
					return
				}
				if err != nil || !slices.Equal(names(files), strings.Fields(row.want)) {
					t.Errorf("%v, %v, want %v", names(files), err, row.want)
				}
				for _, f := range files {
					if !isELF(f.Data) {
						t.Errorf("%s is not uncompressed", f.Name)
					}
				}
			})
		}
	}
}

func TestModulesCycle(t *testing.T) {
	m, err := OpenModules(testModules(""), "6.6.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Load("ring1"); err == nil || !strings.Contains(err.Error(), "need each other") {
		t.Error(err)
	}
}

func TestOpenModules(t *testing.T) {
	for _, row := range []struct{ name, prefix, release, err string }{
		{"the folder itself", "", "6.6.1", ""},
		{"release unknown", "", "", ""},
		{"modules by release", "6.6.1/", "6.6.1", ""},
		{"package", "lib/modules/6.6.1/", "6.6.1", ""},
		{"merged usr", "usr/lib/modules/6.6.1/", "6.6.1", ""},
		{"none for this release", "lib/modules/6.6.1/", "6.6.2", "no modules"},
		{"folder of another kernel", "", "6.6.2", `for kernel "6.6.1"`},
	} {
		m, err := OpenModules(testModules(row.prefix), row.release)
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: error %v, want %q", row.name, err, row.err)
			}
			continue
		}
		if err != nil || m.Release != "6.6.1" || !m.Has("net_failover") || !m.Has("af-packet") || m.Has("9p") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// openCounter counts what is opened in a file system.
type openCounter struct {
	fs.FS
	opened int
}

func (c *openCounter) Open(name string) (fs.File, error) {
	c.opened++
	return c.FS.Open(name)
}

// TestModulesCost: where the index is kept, what is opened grows with the folders and
// not with the modules; a module that was changed in its place is seen.
func TestModulesCost(t *testing.T) {
	const modules, folders = 600, 3
	fsys := fstest.MapFS{}
	for i := range modules {
		fsys[fmt.Sprintf("kernel/folder%d/m%d.ko", i%folders, i)] = &fstest.MapFile{Data: koFile("depends=", testMagic)}
	}
	fsys["kernel/folder0/link.ko"] = &fstest.MapFile{Data: []byte("m0.ko"), Mode: fs.ModeSymlink | 0o777}
	fsys["kernel/folder0/pipe.ko"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o600} // who opened it would wait
	cache := &mapCache{files: map[string][]byte{}}
	index := func() (opened int) {
		c := &openCounter{FS: fsys}
		m, err := OpenModules(c, "6.6.1")
		if err != nil {
			t.Fatal(err)
		}
		files, err := m.Index(cache)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(files["modules.dep"], []byte("\n")); n != modules+1 || m.Has("pipe") {
			t.Errorf("%d modules", n)
		}
		return c.opened
	}
	index()
	if opened := index(); cache.hits != 3 || opened > 40 {
		t.Errorf("%d hits; %d files and folders opened for %d modules in %d folders", cache.hits, opened, modules, folders)
	}
	fsys["kernel/folder0/m0.ko"] = &fstest.MapFile{Data: koFile("depends=m1", testMagic)}
	if index(); cache.hits != 3 {
		t.Error("a module that was changed has its old index")
	}
}

func TestModulesIndex(t *testing.T) {
	fsys := testModules("")
	m, err := OpenModules(fsys, "6.6.1")
	if err != nil {
		t.Fatal(err)
	}
	cache := &mapCache{files: map[string][]byte{}}
	files, err := m.Index(cache)
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"modules.dep":     "kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net-failover.ko kernel/drivers/virtio/virtio.ko\n",
		"modules.alias":   "alias pci:v00001AF4d* virtio_pci\n",
		"modules.softdep": "softdep virtio_net pre: crc32c\n",
	} {
		if !strings.Contains(string(files[name]), line) {
			t.Errorf("%s lacks %q:\n%s", name, line, files[name])
		}
	}
	if again, err := m.Index(cache); err != nil || cache.hits != 3 || !bytes.Equal(again["modules.dep"], files["modules.dep"]) {
		t.Errorf("second call: %v, %d cache hits", err, cache.hits)
	}
	// What was made says the same as the modules themselves.
	fsys["modules.dep"] = &fstest.MapFile{Data: files["modules.dep"]}
	delete(fsys, "kernel/fs/broken.ko")
	withDep, err := OpenModules(fsys, "6.6.1")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.Load("virtio_net")
	b, err := withDep.Load("virtio_net")
	if err != nil || !slices.Equal(names(a), names(b)) {
		t.Errorf("%v and %v, %v", names(a), names(b), err)
	}
	if files, err := withDep.Index(nil); files != nil || err != nil {
		t.Error("an index was made where there is one")
	}
}

func TestSplitSignature(t *testing.T) {
	sig := "signature" + string(make([]byte, 8)) + "\x00\x00\x00\x09" + signatureMark
	for _, row := range []struct{ in, module string }{
		{"module" + sig, "module"},
		{"module", "module"},
		{signatureMark, signatureMark},
		{"x" + string(make([]byte, 8)) + "\xFF\xFF\xFF\xFF" + signatureMark, ""},
	} {
		want := row.module
		if want == "" {
			want = row.in
		}
		m, s := splitSignature([]byte(row.in))
		if string(m) != want || string(m)+string(s) != row.in {
			t.Errorf("%q: %q and %q", row.in, m, s)
		}
	}
}

// TestDebianModules loads what a guest needs from a real kernel's folder, which has no modules.dep.
func TestDebianModules(t *testing.T) {
	im := mustParse(t, guestKernel(t, "686-pae"))
	m, err := OpenModules(os.DirFS(guestfile.Path(t, "686-pae/modules")), im.Release)
	if err != nil {
		t.Fatal(err)
	}
	files, err := m.Load("virtio_pci", "9p", "9pnet_virtio", "virtio_console", "virtio_net", "af_packet")
	if err != nil {
		t.Fatal(err)
	}
	list := names(files)
	for _, pair := range [][2]string{{"virtio_ring", "virtio_pci"}, {"virtio", "virtio_pci"}, {"9pnet", "9p"}, {"fscache", "9p"},
		{"9pnet", "9pnet_virtio"}, {"net_failover", "virtio_net"}, {"failover", "net_failover"}} {
		if a, b := slices.Index(list, pair[0]), slices.Index(list, pair[1]); a < 0 || b < 0 || a > b {
			t.Errorf("%s is not before %s: %v", pair[0], pair[1], list)
		}
	}
	for _, f := range files {
		if len(f.Signature) == 0 || !isELF(f.Data) {
			t.Errorf("%s: signature of %d bytes", f.Name, len(f.Signature))
		}
	}
	if _, err := OpenModules(os.DirFS(guestfile.Path(t, "686-pae/modules")), "6.1.0-1-other"); err == nil || errors.Is(err, ErrNoModules) {
		t.Errorf("modules of another kernel: %v", err)
	}
}

func FuzzModinfo(f *testing.F) {
	f.Add(koFile("depends=a,b", "alias=x", testMagic))
	f.Add(gzipped(koFile("depends=")))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"m.ko": &fstest.MapFile{Data: data}}
		if info, err := readModinfo(fsys, "m.ko"); err == nil && slices.Contains(info.depends, "") {
			t.Error("empty dependency")
		}
	})
}
