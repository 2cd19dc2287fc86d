//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
	"alpinevm/web"
)

// siteMachine is what a site describes.
func siteMachine(t *testing.T, dir website.Dir) *website.Machine {
	t.Helper()
	data, err := os.ReadFile(dir.Name(website.MachineFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := website.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// resumed has a site's machine go on from its snapshot, as a page does.
func resumed(t *testing.T, m *website.Machine, source chunked.Source, o website.Opening) *alpinevm.VM {
	t.Helper()
	var err error
	if o.Chunks, err = chunked.NewCache(source, preparedChunks); err != nil {
		t.Fatal(err)
	}
	file, err := o.Chunks.Open(*m.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if o.From, err = alpinevm.StreamSnapshot(file, file.Size()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.From.Close() })
	o.Source, o.Terminal, o.Network = source, true, true
	about, err := website.ReadAbout(o.From)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Fits(about, true, true); err != nil || string(about.Screen) != tabPrompt {
		t.Fatalf("%v; its terminal shows %q, want %q", err, about.Screen, tabPrompt)
	}
	cfg, err := m.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	end := connect(&cfg, io.Discard)
	machine, err := o.From.Clone(cfg)
	if err != nil {
		t.Fatal(err)
	}
	vm := machine.Go(context.Background())
	t.Cleanup(func() {
		if err := errors.Join(vm.Close(), end()); err != nil {
			t.Error(err)
		}
	})
	return vm
}

// TestSiteSnapshot has the machine of a site go on from the snapshot that web build has
// made, with its files in memory and kept, saves it, and has alpinevm run go on from that:
// what was written is there. The description names what such a start reads, and a boot.
func TestSiteSnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	dir := siteDir(t)
	m := siteMachine(t, dir)
	h := home{t: t, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, kept := range []bool{false, true} {
		r, o := newRecorder(dir), website.Opening{}
		if kept {
			o.Fill = func(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (website.Upper, error) {
				return statefs.Create(statefs.Config{Storage: &storage.Memory{}}, changes, contents)
			}
		}
		vm := resumed(t, m, r.get, o)
		if i := slices.IndexFunc(r.names(), func(name string) bool { return !slices.Contains(m.Ahead.Snapshot, name) }); i >= 0 {
			t.Errorf("chunk %d of the start is not in the list", i)
		}
		if slices.Contains(r.names(), m.Kernel.Chunks[0]) {
			t.Error("the start has read the kernel")
		}
		if out, err := vm.CommandContext(ctx, "sh", "-c", "echo text >/root/f; seq 1 100000 >/root/large; rm /etc/motd; sync").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s, err := vm.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "site.snapshot")
		if err := errors.Join(writeSnapshot(file, s, false), s.Close()); err != nil {
			t.Fatal(err)
		}
		cmd := h.command("run", "-q", "--timeout", "2m", "--from", file, "--", "sh", "-c", "cat /root/f; wc -l </root/large; ls /etc/motd; find / -xdev -type f -exec cat {} + >/dev/null && echo all")
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if want := "text\n100000\nall\n"; err != nil || string(out) != want {
			t.Errorf("kept %v: run --from: %v: %q and %q, want %q", kept, err, out, &errs, want)
		}
	}
	if !slices.Contains(m.Ahead.Boot, m.Kernel.Chunks[0]) || !slices.Contains(m.Ahead.Boot, m.Root.Index.Chunks[0]) {
		t.Error("what a boot reads lacks the kernel, or the root's index")
	}
}

// TestSiteSnapshotRefused: what a page's snapshot cannot be used for is one line.
func TestSiteSnapshotRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	dir := siteDir(t)
	m := siteMachine(t, dir)
	h := home{t: t, dir: t.TempDir()}
	chunks, err := chunked.NewCache(dir.Chunk, preparedChunks)
	if err != nil {
		t.Fatal(err)
	}
	f, err := chunks.Open(*m.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, f.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.snapshot")
	for _, tt := range []struct {
		name string
		data []byte
		args []string
		want string
	}{
		{"of the page alone", data, nil, "it holds no image"},
		{"by name", data, []string{"--name", "box"}, "which --name cannot keep"},
		{"no network", data, []string{"--network", "none"}, "leave out --network none"},
		{"cut", data[:len(data)/2], nil, file},
	} {
		if err := os.WriteFile(file, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := h.command(append(append([]string{"run", "-q", "--timeout", "2m"}, tt.args...), "--from", file, "true")...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: %v: %q, want %q in one line", tt.name, err, out, tt.want)
		}
	}
}

// TestSiteEnds: a machine that ends by itself, or that no snapshot is wanted of, is
// described without one.
func TestSiteEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	for _, args := range [][]string{{"--cold"}, {"--", "true"}} {
		m := siteMachine(t, siteDir(t, args...))
		if m.Snapshot != nil || len(m.Ahead.Snapshot) > 0 {
			text, _ := json.Marshal(m.Snapshot)
			t.Errorf("%v: it has a snapshot: %s", args, text)
		}
	}
}

// TestServeTaken: that a port is another program's is said before anything is made.
func TestServeTaken(t *testing.T) {
	if _, err := web.Files(); err != nil {
		t.Fatal(err, ": make web does")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := home{t: t, dir: t.TempDir()}
	out, err := h.command("serve", "--address", l.Addr().String(), "--rootfs", filepath.Join(h.dir, "none")).CombinedOutput()
	if want := "--address " + l.Addr().String(); err == nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "is another program there?") {
		t.Errorf("%v: %q, want an error of %s", err, out, want)
	}
}
