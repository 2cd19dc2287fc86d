package statefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"alpinevm/fs9p"
	"alpinevm/fs9p/storage"
)

// extents is a disk of three files of a storage, for where opening a file is dear:
//
//	content       blocks of all files
//	map.0, map.1  a journal (generations) of names, sizes and of which blocks are whose
//
// Blocks are written before the journal tells whose they are, and are not another
// one's before the journal that took them away is on the disk. So what was synced is
// what it was, after any failure; of a file that was not, the blocks may be there and
// not what was written to them.
type extents struct {
	content diskFile
	log     journal

	mu      sync.Mutex // a frozen file system is used by another goroutine
	files   map[string]*extentFile
	numbers map[uint64]*extentFile
	next    uint64 // number
	blocks  blocks
	limbo   []run // blocks that are free when the journal is on the disk
	dirty   bool  // something is not on the disk
	free    func() (int64, bool)
	opened  []io.Closer
	failed  error
}

// The files of a storage.
const contentFile = "content"

var mapFiles = [2]string{"map.0", "map.1"}

// openExtents opens the disk in a storage, or makes an empty one.
func openExtents(s storage.Storage) (_ *extents, err error) {
	e := &extents{files: map[string]*extentFile{}, numbers: map[uint64]*extentFile{}, next: 1, free: s.Free}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	open := func(name string) (diskFile, error) {
		f, err := s.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		e.opened = append(e.opened, f)
		return storedFile{f, name}, nil
	}
	if e.content, err = open(contentFile); err != nil {
		return nil, err
	}
	g := &generations{}
	for i, name := range mapFiles {
		if g.files[i], err = open(name); err != nil {
			return nil, err
		}
	}
	e.log = journal{place: g, loose: true}
	there, err := g.exists()
	if err != nil {
		return nil, err
	}
	if there {
		if err := e.log.open(e.replay); err != nil {
			return nil, err
		}
		return e, g.files[1-g.now].Truncate(0) // what a process that died has left
	}
	// Nothing is written before there is a journal.
	if info, err := e.content.Stat(); err != nil {
		return nil, err
	} else if info.Size() > 0 {
		return nil, damaged("neither %s nor %s can be read", mapFiles[0], mapFiles[1])
	}
	return e, e.log.rewrite(e.snapshot)
}

// Clear empties a storage that nobody uses.
func Clear(s storage.Storage) error {
	for _, name := range []string{mapFiles[0], mapFiles[1], contentFile} {
		f, err := s.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(0), f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Close ends the use of the storage's files.
func (e *extents) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	for _, f := range e.opened {
		err = errors.Join(err, f.Close())
	}
	e.opened = nil
	return err
}

// fail says that the disk has failed: what is on it is not known any more.
func (e *extents) fail(err error) error {
	if e.failed == nil {
		e.failed = final(err)
	}
	return e.failed
}

// tell writes what has changed to the journal. What takes room leaves some for what
// makes some.
func (e *extents) tell(record []byte, takes bool) error {
	if e.failed != nil {
		return e.failed
	}
	if takes {
		if err := e.log.want(frameHead + int64(len(record)) + slack); err != nil {
			return err
		}
	}
	e.dirty = true
	return e.roomy(func() error { return e.log.append(record) })
}

// roomy does something again for which there was no room, if there is some when what
// is free is on the disk.
func (e *extents) roomy(do func() error) error {
	err := do()
	if errors.Is(err, storage.ErrFull) && len(e.limbo) > 0 && e.sync() == nil {
		err = do()
	}
	return err
}

// compact makes the journal anew where that is worth it. What it tells of is on the
// disk before.
func (e *extents) compact() {
	if !e.log.bloated() || e.sync() != nil {
		return
	}
	if err := e.log.rewrite(e.snapshot); errors.Is(err, errFinal) {
		e.fail(err)
	}
}

// sync brings everything to the disk, contents first.
func (e *extents) sync() error {
	if e.failed != nil {
		return e.failed
	}
	if !e.dirty {
		return nil
	}
	if err := e.content.Sync(); err != nil {
		return e.fail(err)
	}
	if err := e.log.sync(); err != nil {
		return e.fail(err)
	}
	e.dirty = false
	for _, r := range e.limbo {
		e.blocks.release(r)
	}
	e.limbo = e.limbo[:0]
	if last, n := e.blocks.trim(); n >= leastTrim {
		if err := e.content.Truncate(last * blockSize); err != nil {
			return e.fail(err)
		}
	}
	return nil
}

// leastTrim is how many free blocks at its end the content is made shorter for.
const leastTrim = 256

// extentName is a file's name, the same on all hosts.
func extentName(name string) string { return path.Clean(filepath.ToSlash(name)) }

func notExist(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func (e *extents) open(name string, flags int) (diskFile, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.files[extentName(name)]
	switch {
	case f == nil && flags&os.O_CREATE == 0:
		return nil, notExist("open", name)
	case f != nil && flags&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case f == nil:
		f = &extentFile{number: e.next, name: extentName(name)}
		if err := e.tell(appendName(nil, recordCreate, f), true); err != nil {
			return nil, err
		}
		e.add(f)
	case flags&os.O_TRUNC != 0:
		if err := e.truncate(f, 0); err != nil {
			return nil, err
		}
	}
	f.opens++
	return &extentHandle{e: e, f: f}, nil
}

// add has a file that is new.
func (e *extents) add(f *extentFile) {
	e.files[f.name], e.numbers[f.number] = f, f
	e.next = max(e.next, f.number+1)
}

// unlink takes a file's name away; its blocks stay while it is open.
func (e *extents) unlink(f *extentFile) {
	delete(e.files, f.name)
	delete(e.numbers, f.number)
	f.gone = true
	e.discard(f)
}

// discard gives the blocks of a file away that nobody has.
func (e *extents) discard(f *extentFile) {
	if f.gone && f.opens == 0 {
		e.limbo = append(e.limbo, f.runs...)
		f.runs, f.size = nil, 0
	}
}

func (e *extents) stat(name string) (fs.FileInfo, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.files[extentName(name)]
	if f == nil {
		return nil, notExist("stat", name)
	}
	return f.info(), nil
}

// mkdir has nothing to do: folders are parts of names.
func (e *extents) mkdir(string) error { return nil }

func (e *extents) rename(from, to string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, over := e.files[extentName(from)], e.files[extentName(to)]
	if f == nil {
		return notExist("rename", from)
	}
	if f == over {
		return nil
	}
	renamed := *f
	renamed.name = extentName(to)
	if err := e.tell(appendName(nil, recordRename, &renamed), false); err != nil {
		return err
	}
	e.move(f, renamed.name)
	e.compact()
	return nil
}

// move gives a file another name, which is taken from whoever has it.
func (e *extents) move(f *extentFile, to string) {
	if over := e.files[to]; over != nil {
		e.unlink(over)
	}
	delete(e.files, f.name)
	f.name = to
	e.files[to] = f
}

func (e *extents) remove(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.removeFile(extentName(name))
}

func (e *extents) removeFile(name string) error {
	f := e.files[name]
	if f == nil {
		return notExist("remove", name)
	}
	if err := e.tell(appendNumber(nil, recordRemove, f), false); err != nil {
		return err
	}
	e.unlink(f)
	e.compact()
	return nil
}

// keep copies: a file has one name.
func (e *extents) keep(name, as string) error { return e.share(name, as) }

func (e *extents) share(name, as string) error {
	from, err := e.open(name, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := e.open(as, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err = errors.Join(copyData(to, from), to.Close()); err != nil {
		e.remove(as)
	}
	return err
}

func (e *extents) syncDir(string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sync()
}

// lock has nothing to do: the storage is this one's alone.
func (e *extents) lock(string) (io.Closer, error) { return e, nil }

// below lists what is in a folder and below it.
func (e *extents) below(name string) (list []*extentFile) {
	for _, f := range e.files {
		if strings.HasPrefix(f.name, extentName(name)+"/") {
			list = append(list, f)
		}
	}
	return list
}

func (e *extents) removeAll(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.below(name) {
		if err := e.removeFile(f.name); err != nil {
			return err
		}
	}
	return nil
}

func (e *extents) walk(name string, visit func(name string, info fs.FileInfo) error) error {
	e.mu.Lock()
	list := e.below(name)
	e.mu.Unlock()
	for _, f := range list {
		if err := visit(f.name, f.info()); err != nil {
			return err
		}
	}
	return nil
}

// unknownFree is what is said to be free where that is not known, in bytes.
const unknownFree = 1 << 30

func (e *extents) space(string) (fs9p.Statfs, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	more, ok := e.free()
	if !ok {
		more = unknownFree
	}
	free := uint64(e.blocks.free()) + uint64(max(more, 0))/blockSize
	return fs9p.Statfs{BlockSize: blockSize, Blocks: uint64(e.blocks.taken()) + free, BlocksFree: free, BlocksAvail: free}, nil
}
