package statefs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
)

// Frozen is what was in a file system when it was frozen, whatever becomes of that
// since. One goroutine may use it while another uses the file system.
type Frozen struct {
	State // of files without a name

	tree [][]byte // changes that make all that has a name
	from func(id uint64) string
	disk disk
	dir  string   // the folder of what was taken, as a file system's own
	ids  []uint64 // contents that may hold something, by number

	mu      sync.Mutex
	pending map[uint64]bool // contents that are still the file system's alone
	err     error           // of one that could not be taken

	last   uint64 // content that was read last
	opened diskFile
}

// Freeze gives what is in the file system, in a time that its files' sizes do not
// matter for: a content is taken when it is about to change, or asked for.
func (f *FS) Freeze() (*Frozen, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	f.freezes++
	z := &Frozen{from: f.dataName, disk: f.disk, dir: f.path(frozenDir, fmt.Sprint(f.freezes)), pending: map[uint64]bool{}}
	err := f.tree.Save(func(changes []byte) error {
		z.tree = append(z.tree, slices.Clone(changes))
		return nil
	})
	if err == nil {
		err = f.tree.SaveNameless(func(changes []byte) error {
			z.Nameless = append(z.Nameless, changes...)
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	for id, n := range f.tree.Inodes() {
		if c, ok := n.Content().(*content); ok && c.size != 0 {
			z.pending[id] = true
			z.ids = append(z.ids, id)
		}
	}
	slices.Sort(z.ids)
	f.files.share()
	f.frozen = append(f.frozen, z)
	return z, nil
}

// hand has a content taken by all that froze it, since it is about to change.
func (f *FS) hand(id uint64) {
	f.frozen = slices.DeleteFunc(f.frozen, func(z *Frozen) bool {
		z.take(id)
		return z.whole()
	})
}

// whole tells whether nothing of the file system is waited for any more.
func (z *Frozen) whole() bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.pending) == 0
}

// name is the place of a content that was taken.
func (z *Frozen) name(id uint64) string { return dataName(z.dir, id) }

// take gives a content a name in the folder, unless it has one.
func (z *Frozen) take(id uint64) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if !z.pending[id] {
		return z.err
	}
	delete(z.pending, id)
	name := z.name(id)
	err := z.disk.mkdir(filepath.Dir(name))
	if err == nil {
		err = z.disk.share(z.from(id), name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it is empty
	}
	z.err = cmp.Or(z.err, err)
	return z.err
}

// Numbers are those of the files whose contents may hold something.
func (z *Frozen) Numbers() []uint64 { return z.ids }

// Tree gives the changes that make all names and attributes, those of files
// without a name at the end.
func (z *Frozen) Tree() []byte { return append(slices.Concat(z.tree...), z.Nameless...) }

// open gives a content's file; nil where it is empty.
func (z *Frozen) open(id uint64) (diskFile, error) {
	if z.opened != nil && z.last == id {
		return z.opened, nil
	}
	if err := z.take(id); err != nil {
		return nil, err
	}
	h, err := z.disk.open(z.name(id), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	z.shut()
	z.last, z.opened = id, h
	return h, nil
}

func (z *Frozen) shut() {
	if z.opened != nil {
		z.opened.Close()
		z.opened = nil
	}
}

// Ranges tells the size of a content, and calls yield for its ranges that may hold
// something else than zeros.
func (z *Frozen) Ranges(id uint64, yield func(off, n int64)) (size int64, err error) {
	h, err := z.open(id)
	if err != nil || h == nil {
		return 0, err
	}
	info, err := h.Stat()
	if err != nil {
		return 0, err
	}
	for off, end := int64(0), int64(0); end < info.Size(); {
		if off, end = nextData(h, end, info.Size()); off < end {
			yield(off, end-off)
		}
	}
	return info.Size(), nil
}

// ReadAt reads a content; what is behind its end is zero.
func (z *Frozen) ReadAt(id uint64, p []byte, off int64) error {
	clear(p)
	h, err := z.open(id)
	if err != nil || h == nil {
		return err
	}
	if _, err = h.ReadAt(p, off); err == io.EOF {
		err = nil
	}
	return err
}

// Folder makes a folder of it that a file system can be opened in, or rather one
// that Copy can copy, and which is gone with Close.
func (z *Frozen) Folder() (string, error) {
	if err := z.disk.mkdir(filepath.Join(z.dir, dataDir)); err != nil {
		return "", err
	}
	for _, id := range z.ids {
		if err := z.take(id); err != nil {
			return "", err
		}
	}
	j := journal{place: renamed{z.disk, filepath.Join(z.dir, journalFile)}}
	defer j.close()
	return z.dir, j.rewrite(func(write func([]byte) error) error {
		for _, changes := range z.tree {
			if err := write(changes); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close ends the use of it.
func (z *Frozen) Close() error {
	z.shut()
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.pending)
	err := z.disk.removeAll(z.dir)
	z.disk.remove(filepath.Dir(z.dir)) // if it is the last one
	return err
}

// Copy makes the folder to of a folder that nobody uses, or a frozen one. Contents
// are shared until one side changes them. What Config.State is to be for the copy
// is what it would be for the original.
func Copy(from, to string) error {
	d := hostDisk{}
	if err := d.mkdir(filepath.Join(to, dataDir)); err != nil {
		return err
	}
	err := filepath.WalkDir(filepath.Join(from, dataDir), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		id, ok := parseID(e.Name())
		if !ok {
			return nil // the beginning of a copy
		}
		as := dataName(to, id)
		if err := d.mkdir(filepath.Dir(as)); err != nil {
			return err
		}
		return d.share(name, as)
	})
	if err != nil {
		return err
	}
	return copyFile(filepath.Join(from, journalFile), filepath.Join(to, journalFile))
}

// Create makes a file system of what another one has, in a folder that has none:
// its changes of package tree, and contents by number. Files without a name are
// there until Settle is called.
func Create(cfg Config, changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (_ *FS, err error) {
	f, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.shut()
			err = fmt.Errorf("state folder %s: %w", cfg.Dir, err)
		}
	}()
	if err := f.tree.Replay(changes); err != nil {
		return nil, err
	}
	for id, c := range contents {
		if err := f.fill(id, c); err != nil {
			return nil, fmt.Errorf("file %d: %w", id, err)
		}
	}
	return f, f.journal.rewrite(f.snapshot)
}

// fill gives a file that is empty its content.
func (f *FS) fill(id uint64, from fs9p.Content) error {
	n, err := f.tree.Inode(id)
	if err != nil {
		return err
	}
	defer n.Release()
	file, _ := n.(*tree.Inode)
	to, ok := file.Content().(*content)
	if !ok {
		return fs9p.EINVAL
	}
	buf := make([]byte, 1<<20)
	var failed error
	err = from.Ranges(func(off, n uint64) bool {
		for end := off + n; off < end && failed == nil; {
			var k int
			if k, failed = from.ReadAt(buf[:min(uint64(len(buf)), end-off)], off); k == 0 {
				return failed == nil
			}
			if failed == nil {
				_, failed = to.WriteAt(buf[:k], off)
			}
			off += uint64(k)
		}
		return failed == nil
	})
	if err = cmp.Or(failed, err); err != nil {
		return err
	}
	return to.Truncate(from.Size())
}
