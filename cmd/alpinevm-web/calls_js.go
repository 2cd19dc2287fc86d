package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall/js"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/archive"
)

// server does what the page asks for. Each call has a number, and ends with a message
// "result" that has it; its error, if there is one, is text.
type server struct {
	*page
	machine *alpinevm.Machine
	vm      *alpinevm.VM
	root    fs9p.FS
	memory  int64 // of the guest, in bytes

	mu    sync.Mutex
	execs map[int]*execution
	hold  chan struct{} // closed when the machine may go on; nil while it runs
}

// execution is a program that the page has started.
type execution struct {
	job    *alpinevm.Job // nil before it runs, and of what the guest's server is asked
	stdin  *inbox
	cancel func() // of what the guest's server is asked
}

// serve takes the page's messages, in their order.
func (s *server) serve() {
	s.execs = map[int]*execution{}
	for {
		m := s.mail.next()
		switch id := m.Get("id"); m.Get("type").String() {
		case "resize":
			s.machine.Resize(uint16(m.Get("cols").Int()), uint16(m.Get("rows").Int()))
		case "shutdown":
			s.machine.Shutdown()
		case "pause":
			s.pause()
		case "resume":
			s.resume()
		case "exec":
			s.exec(id.Int(), m)
		case "fetch":
			s.fetch(id.Int(), m)
		case "stdin", "signal", "execResize", "cancel":
			s.tell(id.Int(), m)
		case "export":
			go s.answer(id.Int(), func() (any, error) { return nil, s.export(id.Int()) })
		case "snapshot":
			go s.answer(id.Int(), func() (any, error) { return nil, s.snapshot(id.Int()) })
		case "readFile", "writeFile", "readDir", "mkdir", "remove", "stat":
			go s.answer(id.Int(), func() (any, error) {
				value, err := s.file(m)
				return value, named(m.Get("name").String(), err)
			})
		}
	}
}

// pause has the machine stand still until resume.
func (s *server) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold != nil {
		return
	}
	hold := make(chan struct{})
	s.hold = hold
	s.machine.Kick(func() { <-hold })
}

func (s *server) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold != nil {
		close(s.hold)
		s.hold = nil
	}
}

// answer does what a call asks for and sends its result.
func (s *server) answer(id int, do func() (any, error)) {
	value, err := do()
	fields := map[string]any{"value": value}
	if err != nil {
		fields = fault(err)
	}
	fields["id"] = id
	s.send("result", fields)
}

// exec starts a program.
func (s *server) exec(id int, m js.Value) {
	p := alpinevm.Process{
		Args: texts(m.Get("args")), Env: texts(m.Get("env")), Dir: text(m.Get("dir")), User: text(m.Get("user")),
		Stdout: writer{s.page, "stdout", id}, Stderr: writer{s.page, "stderr", id},
	}
	e := &execution{stdin: newInbox()}
	if m.Get("stdin").Truthy() {
		p.Stdin = e.stdin
	}
	s.mu.Lock()
	s.execs[id] = e
	s.mu.Unlock()
	if t := m.Get("terminal"); t.Truthy() {
		p.TTY, p.Term = true, "xterm-256color"
		p.Cols, p.Rows = uint16(t.Get("cols").Int()), uint16(t.Get("rows").Int())
	}
	go s.answer(id, func() (any, error) {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.execs, id)
		}()
		job, err := s.vm.Exec(context.Background(), p)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		e.job = job
		s.mu.Unlock()
		return job.Wait()
	})
}

// tell passes something on to a program that runs.
func (s *server) tell(id int, m js.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.execs[id]
	switch kind := m.Get("type").String(); {
	case e == nil:
	case kind == "stdin":
		if data := m.Get("data"); data.Truthy() {
			e.stdin.put(bytesOf(data))
		} else {
			e.stdin.close()
		}
	case kind == "cancel" && e.cancel != nil:
		e.cancel()
	case e.job == nil:
	case kind == "signal":
		e.job.Signal(m.Get("number").Int())
	case kind == "execResize":
		e.job.Resize(uint16(m.Get("cols").Int()), uint16(m.Get("rows").Int()))
	}
}

// export sends all files of the guest's root as a tar archive, when the guest has
// written back what it had in memory.
func (s *server) export(id int) error {
	ctx := context.Background()
	if err := s.machine.MoveFiles(ctx, nil); err != nil {
		return err
	}
	t := &archive.Tree{FS: s.root, Do: func(ctx context.Context, f func() error) error {
		return s.machine.WithRoot(ctx, func(fs9p.FS) error { return f() })
	}}
	w := bufio.NewWriterSize(writer{s.page, "stdout", id}, 256<<10)
	if err := t.Pack(ctx, w, "/", nil); err != nil {
		return err
	}
	return w.Flush()
}

// snapshot sends a snapshot of the machine, which stands still meanwhile.
func (s *server) snapshot(id int) error {
	done := make(chan error, 1)
	s.machine.Kick(func() { done <- s.machine.Snapshot(writer{s.page, "stdout", id}) })
	select {
	case err := <-done:
		return err
	case <-s.vm.Done():
		return alpinevm.ErrEnded
	}
}

// maxFile bounds a file that the page is given whole, in bytes.
const maxFile = 256 << 20

// file does something to a file of the guest.
func (s *server) file(m js.Value) (any, error) {
	files := s.vm.FS()
	name := strings.TrimPrefix(path.Clean("/"+m.Get("name").String()), "/")
	if name == "" {
		name = "."
	}
	switch m.Get("type").String() {
	case "readFile":
		data, err := fs9p.ReadFile(files, name, maxFile)
		return arrayOf(data), err
	case "writeFile":
		w, err := files.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(bytesOf(m.Get("data"))); err != nil {
			w.Close()
			return nil, err
		}
		return nil, w.Close()
	case "readDir":
		list, err := fs.ReadDir(files, name)
		if err != nil {
			return nil, err
		}
		entries := []any{}
		for _, e := range list {
			entry := map[string]any{"name": e.Name(), "dir": e.IsDir()}
			if info, err := e.Info(); err == nil {
				entry["size"], entry["modified"] = float64(info.Size()), float64(info.ModTime().UnixMilli())
			}
			entries = append(entries, entry)
		}
		return entries, nil
	case "stat":
		info, err := fs.Stat(files, name)
		if err != nil {
			return nil, err
		}
		return map[string]any{"name": info.Name(), "dir": info.IsDir(), "size": float64(info.Size()), "modified": float64(info.ModTime().UnixMilli())}, nil
	case "mkdir":
		return nil, files.MkdirAll(name, 0o755)
	}
	return nil, files.Remove(name)
}

// named is the error of a file under the name that the page has for it.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	if errors.Is(err, fs9p.EISDIR) {
		return fmt.Errorf("%s is a folder", name)
	}
	if errors.Is(err, fs9p.ENOTDIR) {
		return fmt.Errorf("%s: a part of the path is no folder", name)
	}
	if errors.Is(err, fs9p.ENOTEMPTY) {
		return fmt.Errorf("%s: the folder is not empty", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// text is a string, or nothing.
func text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

// texts is an array of strings, or nothing.
func texts(v js.Value) (list []string) {
	if v.Type() != js.TypeObject {
		return nil
	}
	for i := range v.Length() {
		list = append(list, v.Index(i).String())
	}
	return list
}
