package storage

import (
	"errors"
	"fmt"
	"io"
	"syscall/js"
)

// OPFS is files of a browser's origin private file system. They are opened before, in a
// dedicated worker, since opening one is not synchronous: a FileSystemSyncAccessHandle
// each (https://fs.spec.whatwg.org). Nobody else can open them meanwhile. It implements
// Storage.
type OPFS struct {
	handles js.Value // an object, by name
	free    int64
	buffer  js.Value // what is read and written goes through it
}

// opfsBuffer is how much is read or written at a time, in bytes.
const opfsBuffer = 1 << 20

// NewOPFS takes open files, and how many bytes there is room for beside them; negative:
// that is not known.
func NewOPFS(handles js.Value, free int64) *OPFS {
	return &OPFS{handles, free, js.Global().Get("Uint8Array").New(opfsBuffer)}
}

// Open is part of Storage: the file must be one of those that are open.
func (o *OPFS) Open(name string) (File, error) {
	h := o.handles.Get(name)
	if !h.Truthy() {
		return nil, fmt.Errorf("%s is not open", name)
	}
	return &opfsFile{o, h}, nil
}

// Free is part of Storage.
func (o *OPFS) Free() (n int64, ok bool) { return o.free, o.free >= 0 }

// Close is part of Storage. The files stay open as long as their worker lives.
func (o *OPFS) Close() error { return nil }

type opfsFile struct {
	o *OPFS
	h js.Value
}

// call calls a method of the file, and gives what it throws as an error.
func (f *opfsFile) call(method string, args ...any) (n int64, err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		e, ok := r.(js.Error)
		switch {
		case !ok:
			panic(r)
		case e.Value.Get("name").String() == "QuotaExceededError":
			err = ErrFull
		default:
			err = errors.New(e.Value.Get("message").String())
		}
	}()
	v := f.h.Call(method, args...)
	if v.Type() == js.TypeNumber {
		n = int64(v.Float())
	}
	return n, nil
}

// at calls read or write with n bytes of the buffer. In a private window Chromium gives an
// error as a number of 32 bits without a sign, more than could have been done.
func (f *opfsFile) at(method string, n int, off int64) (int, error) {
	k, err := f.call(method, f.o.buffer.Call("subarray", 0, n), map[string]any{"at": float64(off)})
	switch {
	case err != nil || k <= int64(n):
		return int(k), err
	case method == "write":
		return 0, ErrFull // what it is where the quota is used up
	}
	return 0, fmt.Errorf("the browser's files: error %d of %s", int32(k), method)
}

// ReadAt is part of File.
func (f *opfsFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		want := min(len(p)-n, opfsBuffer)
		k, err := f.at("read", want, off+int64(n))
		if err != nil {
			return n, err
		}
		js.CopyBytesToGo(p[n:n+k], f.o.buffer)
		if n += k; k < want {
			return n, io.EOF
		}
	}
	return n, nil
}

// WriteAt is part of File.
func (f *opfsFile) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		want := min(len(p)-n, opfsBuffer)
		js.CopyBytesToJS(f.o.buffer, p[n:n+want])
		k, err := f.at("write", want, off+int64(n))
		if n += k; err != nil {
			return n, err
		}
		if k < want { // some browsers say so where the quota is used up
			return n, ErrFull
		}
	}
	return n, nil
}

// Size is part of File.
func (f *opfsFile) Size() (int64, error) { return f.call("getSize") }

// Truncate is part of File.
func (f *opfsFile) Truncate(size int64) error {
	if _, err := f.call("truncate", float64(size)); err != nil {
		return err
	}
	is, err := f.Size()
	if err == nil && is != size { // as with at
		return ErrFull
	}
	return err
}

// Sync is part of File.
func (f *opfsFile) Sync() error {
	_, err := f.call("flush")
	return err
}

// Close is part of File: it stays open as long as its worker lives.
func (f *opfsFile) Close() error { return nil }
