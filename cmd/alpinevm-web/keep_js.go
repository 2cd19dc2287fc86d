package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"syscall/js"

	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
	"alpinevm/internal/website"
)

// keeping is where what the guest changes is kept.
type keeping struct {
	cfg   statefs.Config
	has   website.Keeping
	files *statefs.FS
}

// store is the files that the page keeps its machine in; nil: there are none.
func (p *page) store() *storage.OPFS {
	files := p.port.Get("files")
	if !files.Truthy() {
		return nil
	}
	free := int64(-1)
	if n := p.port.Get("free"); n.Type() == js.TypeNumber {
		free = int64(n.Float())
	}
	return storage.NewOPFS(files, free)
}

// keeping gives what the page keeps its machine in; nil: it is in memory.
func (p *page) keeping(m *website.Machine) (*keeping, error) {
	s := p.store()
	if s == nil {
		return nil, nil
	}
	has, err := website.Kept(s, m)
	if err != nil {
		return nil, err
	}
	tell := func(text string) { p.send("notice", map[string]any{"text": text}) }
	return &keeping{has: has, cfg: statefs.Config{Storage: s, Tell: tell, Failed: func(err error) {
		p.send("notice", map[string]any{"text": "Nothing is kept from here on: " + err.Error()})
	}}}, nil
}

// open opens what is kept.
func (k *keeping) open() (website.Upper, error) {
	if k.files != nil { // of a snapshot that could not be used
		return k.files, nil
	}
	f, err := statefs.Open(k.cfg)
	if err != nil {
		return nil, err
	}
	k.files = f
	return f, nil
}

// fill keeps what a snapshot holds.
func (k *keeping) fill(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (website.Upper, error) {
	f, err := statefs.Create(k.cfg, changes, contents)
	if err != nil {
		return nil, err
	}
	k.files = f
	return f, nil
}

// close ends the use of what is kept.
func (k *keeping) close() error {
	if k.files == nil {
		return nil
	}
	return k.files.Close()
}

// importArchive keeps the root file system of an archive, and tells the page how far it is.
func (p *page) importArchive(m *website.Machine) error {
	s := p.store()
	if s == nil {
		return errors.New("this window has no place for files: one that is private, or whose page came by http from another computer, has none")
	}
	from := blob{p, p.port.Get("archive")}
	r := &counted{p: p, r: io.NewSectionReader(from, 0, from.Size()), total: from.Size()}
	p.send("phase", map[string]any{"text": "importing"})
	err := website.Import(context.Background(), s, m, bufio.NewReaderSize(r, importPart))
	if err == nil {
		p.send("imported", nil)
	}
	return err
}

// counted tells the page how much of it was read.
type counted struct {
	p           *page
	r           io.Reader
	done, total int64
}

// Read is part of io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), importPart)])
	c.done += int64(n)
	c.p.send("progress", map[string]any{"done": float64(c.done), "total": float64(c.total)})
	return n, err
}

// importPart is how much is read at a time, in bytes.
const importPart = 1 << 20
