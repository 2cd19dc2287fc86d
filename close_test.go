package alpinevm

import (
	"errors"
	"testing"
	"time"

	"alpinevm/fs9p"
)

// deadDisk is a file system whose host does not answer.
type deadDisk struct{ asked, answer chan struct{} }

func (deadDisk) Slow() bool                   { return true }
func (deadDisk) Statfs() (fs9p.Statfs, error) { return fs9p.Statfs{}, nil }
func (d deadDisk) Attach(string) (fs9p.Node, error) {
	close(d.asked)
	<-d.answer
	return nil, fs9p.EIO
}

// TestCloseBusy: Close does not wait for ever for the host's files, and says so.
func TestCloseBusy(t *testing.T) {
	m, err := New(Config{Memory: MinMemory, Boot: Boot{Firmware: make([]byte, 64<<10)}})
	if err != nil {
		t.Fatal(err)
	}
	m.closeWait = 100 * time.Millisecond
	disk := deadDisk{make(chan struct{}), make(chan struct{})}
	if err := m.serve("dead", fs9p.Config{FS: disk}); err != nil {
		t.Fatal(err)
	}
	for _, msg := range []fs9p.Message{&fs9p.Tversion{Msize: 8192, Version: "9P2000.L"}, &fs9p.Tattach{AFid: 1<<32 - 1}} {
		m.servers[0].Serve(fs9p.Append(nil, 1, msg), func([]byte) {})
	}
	<-disk.asked
	if err := m.Close(); !errors.Is(err, ErrBusy) {
		t.Errorf("closed while the host was asked: %v", err)
	}
	close(disk.answer)
	if err := m.Close(); err != nil {
		t.Errorf("closed after the host's answer: %v", err)
	}
}
