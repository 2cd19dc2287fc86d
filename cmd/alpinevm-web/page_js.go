package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall/js"

	"alpinevm/internal/chunked"
)

// page is who talks with this program: the object alpinevm of the global scope.
//
//	machine, memory, terminal  what to start: the description's text, MiB or nothing,
//	                           and {cols, rows} or nothing
//	network                    {way, relay, https, mirrors, secure}: "relay" and its
//	                           address, "fetch" and what package httpgate wants, or
//	                           "none"
//	files, free                where the machine is kept: open files by name (package
//	                           storage, OPFS), and how many bytes more there is room
//	                           for, if that is known; or nothing
//	engine                     what executes instructions, or nothing
//	name                       what the machine is kept under, or nothing
//	snapshot                   what to go on from: "site" for the description's, a file as
//	                           an object of size and read(offset, length), or nothing
//	boot                       whether to boot, also where the site has a booted kernel
//	archive                    what to import and no more, as a file, or nothing
//	get(name, again)           gives a chunk as a Uint8Array, now or as a promise; again:
//	                           what was given is damaged
//	send(message)              takes a message; its type is message.type
//	receive(message)           is set here
type page struct {
	port js.Value
	keys *inbox // what is typed
	mail *mail
}

func newPage() *page {
	p := &page{port: js.Global().Get("alpinevm"), keys: newInbox(), mail: newMail()}
	p.port.Set("receive", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if m := args[0]; m.Get("type").String() == "input" {
			p.keys.put(bytesOf(m.Get("data")))
		} else {
			p.mail.put(m)
		}
		return nil
	}))
	return p
}

// send sends the page a message. Byte slices become Uint8Arrays.
func (p *page) send(kind string, fields map[string]any) {
	m := js.Global().Get("Object").New()
	m.Set("type", kind)
	for name, v := range fields {
		if data, ok := v.([]byte); ok {
			m.Set(name, arrayOf(data))
			continue
		}
		m.Set(name, v)
	}
	p.port.Call("send", m)
}

// chunk gets a chunk of a file. It is a chunked.Source.
func (p *page) chunk(name string) ([]byte, error) { return p.chunkInto(nil, name, false) }

// cache gives a Cache of so many chunks of the site's.
func (p *page) cache(chunks int) (*chunked.Cache, error) {
	var buf []byte // what comes is written over by the next
	source := func(again bool) chunked.Source {
		return func(name string) (data []byte, err error) {
			buf, err = p.chunkInto(buf, name, again)
			return buf, err
		}
	}
	c, err := chunked.NewCache(source(false), chunks)
	if err != nil {
		return nil, err
	}
	c.Digest, c.Again = digest(), source(true)
	return c, nil
}

// chunkInto gets a chunk into a buffer, if there is room for it.
func (p *page) chunkInto(buf []byte, name string, again bool) (data []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = thrown(r)
		}
	}()
	v := p.port.Call("get", name, again)
	if v.Get("then").Type() == js.TypeFunction {
		if v, err = settled(v); err != nil {
			return nil, err
		}
	}
	n := v.Get("length").Int()
	data = slices.Grow(buf[:0], n)[:n]
	js.CopyBytesToGo(data, v)
	return data, nil
}

// digest is how the host computes a SHA-256, many times as fast as this program can, one
// after the other; nil where it does not, as on a page that is not a secure context.
func digest() func(data []byte) ([]byte, error) {
	crypto := js.Global().Get("crypto")
	if !crypto.Truthy() || !crypto.Get("subtle").Truthy() {
		return nil
	}
	var buf js.Value // memory that was used before costs less than fresh memory
	room := 0
	return func(data []byte) (sum []byte, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = thrown(r)
			}
		}()
		if len(data) > room {
			room = len(data)
			buf = js.Global().Get("Uint8Array").New(room)
		}
		js.CopyBytesToJS(buf, data)
		v, err := settled(crypto.Get("subtle").Call("digest", "SHA-256", buf.Call("subarray", 0, len(data))))
		if err != nil {
			return nil, err
		}
		return bytesOf(js.Global().Get("Uint8Array").New(v)), nil
	}
}

// settled waits for a promise. It is not to be called by JavaScript, which it would wait
// for.
func settled(promise js.Value) (v js.Value, err error) {
	done := make(chan struct{})
	fulfilled := js.FuncOf(func(_ js.Value, args []js.Value) any {
		v = args[0]
		close(done)
		return nil
	})
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		err = errors.New(args[0].Get("message").String())
		close(done)
		return nil
	})
	defer fulfilled.Release()
	defer rejected.Release()
	promise.Call("then", fulfilled, rejected)
	<-done
	return v, err
}

// thrown is what JavaScript has thrown, as an error.
func thrown(r any) error {
	if e, ok := r.(js.Error); ok {
		return errors.New(e.Value.Get("message").String())
	}
	return fmt.Errorf("%v", r)
}

func bytesOf(v js.Value) []byte {
	data := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(data, v)
	return data
}

func arrayOf(data []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(data))
	js.CopyBytesToJS(a, data)
	return a
}

// writer sends what is written as messages of a kind.
type writer struct {
	p    *page
	kind string
	id   int // of the call that it belongs to; 0: none
}

func (w writer) Write(b []byte) (int, error) {
	w.p.send(w.kind, map[string]any{"data": b, "id": w.id})
	return len(b), nil
}

// inbox is a pipe that whoever writes never waits for: the event loop must not.
type inbox struct {
	mu     sync.Mutex
	some   *sync.Cond
	data   []byte
	closed bool
}

func newInbox() *inbox {
	b := &inbox{}
	b.some = sync.NewCond(&b.mu)
	return b
}

func (b *inbox) put(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, data...)
	b.some.Signal()
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.some.Signal()
}

// Read is part of io.Reader.
func (b *inbox) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.data) == 0 {
		if b.closed {
			return 0, io.EOF
		}
		b.some.Wait()
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

// mail are messages that nobody has looked at yet.
type mail struct {
	mu   sync.Mutex
	some *sync.Cond
	list []js.Value
}

func newMail() *mail {
	m := &mail{}
	m.some = sync.NewCond(&m.mu)
	return m
}

func (m *mail) put(v js.Value) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, v)
	m.some.Signal()
}

func (m *mail) next() js.Value {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.list) == 0 {
		m.some.Wait()
	}
	v := m.list[0]
	m.list = m.list[1:]
	return v
}
