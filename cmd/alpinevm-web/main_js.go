// Command alpinevm-web is alpinevm in a browser's tab: a dedicated worker runs it (or
// Node), and talks with it by messages, as web/src/worker.ts has them.
package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall/js"
	"time"

	"alpinevm"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
)

func main() {
	reserve()
	p := newPage()
	end, err := run(p)
	if err == errImported {
		return
	}
	if err != nil {
		text := err.Error()
		if errors.Is(err, chunked.ErrChunk) {
			text += ", also when it was fetched again; the site is not whole, make it again"
		}
		p.send("error", map[string]any{"text": text})
		return
	}
	p.send("exit", map[string]any{"cause": end.Cause.String(), "code": end.Code, "detail": end.Detail})
}

const (
	// keptChunks are 16 MiB of what has been read of files, streamChunks what is of use
	// of one that is read once.
	keptChunks   = 64
	streamChunks = 2
	// statEvery is how often the page is told how the machine does.
	statEvery = time.Second
)

// errImported is the end of a program that was to import a machine, and has.
var errImported = errors.New("the machine is imported")

// run runs the page's machine to its end. What is kept of it is closed then: the page
// ends the worker when it hears of that.
func run(p *page) (end alpinevm.End, err error) {
	m, err := website.Read([]byte(p.port.Get("machine").String()))
	if err != nil {
		return end, err
	}
	if memory := p.port.Get("memory"); memory.Type() == js.TypeNumber {
		m.Memory = int64(memory.Int()) << 20
	}
	if p.port.Get("archive").Truthy() {
		if err := p.importArchive(m); err != nil {
			return end, err
		}
		return end, errImported
	}
	chunks, err := p.cache(keptChunks)
	if err != nil {
		return end, err
	}
	p.send("phase", map[string]any{"text": "loading"})
	b := &beginning{page: p, m: m, chunks: chunks, screen: &website.Screen{}}
	defer func() { err = errors.Join(err, b.close()) }()
	machine, err := b.machine()
	if err != nil {
		return end, err
	}
	defer machine.Close()
	vm := machine.Go(context.Background())
	s := &server{page: p, machine: machine, vm: vm, root: b.cfg.Session.Root, memory: b.cfg.Memory}
	go s.serve()
	go s.stat()
	return vm.Wait()
}

// collect has the collector run as often as the heap has grown by about 32 MiB, guest
// memory being in the heap and no garbage. What it has been once the tab keeps.
func collect(memory int64) { debug.SetGCPercent(int(max(5, 100*(32<<20)/memory))) }

// reserved is how much the heap has at once, beside guest memory.
const reserved = 96 << 20

// reserve has the heap grow once to most of what a boot needs, of which the host commits
// what is written. Else it grows by 4 MiB at most, a hundred times in a boot, and V8 runs
// its collector each time, since the memory as a whole counts as newly allocated.
//
//go:noinline
func reserve() {
	room = make([]byte, reserved)
	room = nil
	runtime.GC()
}

// room is here so that it is made.
var room []byte

// stat tells the page how the machine does.
func (s *server) stat() {
	var before uint64
	var waited time.Duration
	from := time.Now()
	for range time.Tick(statEvery) {
		type figures struct {
			n uint64
			w time.Duration
		}
		got := make(chan figures, 1)
		s.machine.Kick(func() { got <- figures{s.machine.Instructions(), s.machine.Waited()} })
		select {
		case f := <-got:
			now := time.Now()
			s.send("stat", map[string]any{
				"instructions": float64(f.n - before), "idle": (f.w - waited).Seconds(), "seconds": now.Sub(from).Seconds(), "total": float64(f.n), "memory": float64(s.memory),
			})
			before, waited, from = f.n, f.w, now
		case <-s.vm.Done():
			return
		}
	}
}

// fault is an error as the page gets it.
func fault(err error) map[string]any { return map[string]any{"error": fmt.Sprint(err)} }
