// Package website describes a machine that a folder of files serves: what a browser
// needs to start it, in chunks of which it gets those that it uses.
package website

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/oci"
	"alpinevm/internal/chunked"
	"alpinevm/internal/linux"
	"alpinevm/kernel"
)

// Format is the version of Machine.
const Format = 1

// maxKernel bounds what of a description is read into memory, in bytes.
const maxKernel = 256 << 20

// Tree is a file system: an archive, and where in it what is (package oci).
type Tree struct {
	Index   chunked.File `json:"index"`
	Archive chunked.File `json:"archive"`
}

// Machine is a machine as its files describe it.
type Machine struct {
	Format   int           `json:"format"`
	Memory   int64         `json:"memory"` // bytes
	Hostname string        `json:"hostname"`
	Kernel   chunked.File  `json:"kernel"`
	Cmdline  string        `json:"cmdline,omitempty"` // as Boot has them
	Append   string        `json:"append,omitempty"`
	Modules  *Tree         `json:"modules,omitempty"`
	Root     Tree          `json:"root"`
	Busybox  *chunked.File `json:"busybox,omitempty"`

	// Network is how the guest reaches others; nil: it does not.
	Network *Network `json:"network,omitempty"`

	// As Session has them.
	Args []string `json:"args,omitempty"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	User string   `json:"user,omitempty"`
	Init bool     `json:"init,omitempty"`

	// Snapshot is the machine at its prompt, at a terminal and with a network. Booted is
	// its kernel alone, as far as it comes before it looks at files: what goes on from it
	// has files and a program of its own. nil: there is none.
	Snapshot *chunked.File `json:"snapshot,omitempty"`
	Booted   *chunked.File `json:"booted,omitempty"`
	// Ahead are the parts of files that a start reads, in its order.
	Ahead Ahead `json:"ahead,omitzero"`
}

// Ahead names parts of files: those that a boot reads, those of a start from Snapshot and
// of one from Booted, and what first commands behind the one from Snapshot read.
type Ahead struct {
	Boot     []string `json:"boot,omitempty"`
	Booted   []string `json:"booted,omitempty"`
	Snapshot []string `json:"snapshot,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// Read reads a description.
func Read(data []byte) (*Machine, error) {
	var m Machine
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("the description of the machine: %w", err)
	}
	if m.Format != Format {
		return nil, fmt.Errorf("the machine is described in format %d, and this program reads %d: its files are of another version", m.Format, Format)
	}
	return &m, nil
}

// open opens what a Tree describes.
func (t *Tree) open(c *chunked.Cache) (fs9p.Numbered, error) {
	index, err := c.Open(t.Index)
	if err != nil {
		return nil, err
	}
	archive, err := c.Open(t.Archive)
	if err != nil {
		return nil, err
	}
	return oci.Open(index, index.Size(), []oci.Layer{{Name: "the archive", Data: archive, Size: archive.Size()}})
}

// whole reads a small file.
func whole(c *chunked.Cache, f chunked.File) ([]byte, error) {
	if f.Size > maxKernel {
		return nil, fmt.Errorf("it has %d bytes, and %d are the most", f.Size, maxKernel)
	}
	return c.Whole(f)
}

// Files is where what is made is put.
type Files interface {
	// Put keeps a chunk under its name; the same one may come again.
	Put(name string, data []byte) error
	// Temporary is a file to work with, which the caller removes.
	Temporary() (Temporary, error)
}

// Temporary is a file that is written and then read.
type Temporary interface {
	io.Writer
	io.ReaderAt
	Remove() error
}

// errNoSession is of a machine without a root file system of ours.
var errNoSession = errors.New("it has no root file system of ours, which a page needs")

// Describe makes the files of a machine. Packing gets each tree in turn and writes it
// as an archive.
func Describe(ctx context.Context, cfg *alpinevm.Config, cache kernel.Cache, to Files, pack func(context.Context, io.Writer, fs9p.FS) error) (*Machine, error) {
	s := cfg.Session
	if s == nil {
		return nil, errNoSession
	}
	m := &Machine{
		Format: Format, Memory: cfg.Memory, Hostname: cfg.Hostname, Cmdline: cfg.Boot.Cmdline, Append: cfg.Boot.Append,
		Args: s.Args, Env: s.Env, Dir: s.Dir, User: s.User, Init: s.Init,
	}
	image, err := kernel.Parse(cfg.Boot.Kernel)
	if err != nil {
		return nil, err
	}
	if m.Kernel, err = chunked.Bytes(image.Unpacked(cache), to.Put); err != nil {
		return nil, err
	}
	if s.Busybox != nil {
		f, err := chunked.Bytes(s.Busybox, to.Put)
		if err != nil {
			return nil, err
		}
		m.Busybox = &f
	}
	make := func(tree fs9p.FS) (*Tree, error) {
		return describe(to, func(w io.Writer) error { return pack(ctx, w, tree) })
	}
	if cfg.Boot.Modules != nil {
		// With the indexes that they lack, else a tab would get all of them to make these.
		mods, err := linux.OpenModules(cfg.Boot.Modules, image.Release, cache, nil)
		if err != nil {
			return nil, err
		}
		if m.Modules, err = make(mods.FS); err != nil {
			return nil, err
		}
	}
	root, err := make(s.Root)
	if err != nil {
		return nil, err
	}
	m.Root = *root
	return m, nil
}

// Keep makes the parts of a file that write writes, and that is read at once.
func Keep(to Files, write func(io.Writer) error) (chunked.File, error) {
	f, size, err := written(to, write)
	if err != nil {
		return chunked.File{}, err
	}
	defer f.Remove()
	return chunked.SplitLarge(f, size, to.Put)
}

// describe makes the files of a tree, of which pack writes an archive.
func describe(to Files, pack func(io.Writer) error) (*Tree, error) {
	archive, size, err := written(to, pack)
	if err != nil {
		return nil, err
	}
	defer archive.Remove()
	index, indexSize, err := written(to, func(w io.Writer) error {
		return oci.Build(w, []oci.Layer{{Name: "the archive", Data: archive, Size: size}}, oci.MaxLimits)
	})
	if err != nil {
		return nil, err
	}
	defer index.Remove()
	var t Tree
	if t.Index, err = chunked.Split(index, indexSize, to.Put); err != nil {
		return nil, err
	}
	t.Archive, err = chunked.Split(archive, size, to.Put)
	return &t, err
}

// written is a temporary file that write has written, and its size.
func written(to Files, write func(io.Writer) error) (Temporary, int64, error) {
	f, err := to.Temporary()
	if err != nil {
		return nil, 0, err
	}
	n := counter{w: f}
	if err := write(&n); err != nil {
		return nil, 0, errors.Join(err, f.Remove())
	}
	return f, n.n, nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
