package machines

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"syscall"

	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/launch"
)

// A disk is what is known of the disk that keeps a machine's changes.
type disk struct {
	failed chan error // gets a *DiskError, once

	mu  sync.Mutex
	err error // what failed got
}

// DiskError is the error after which nothing is kept of a machine any more. The
// user was told.
type DiskError struct {
	Machine string
	Err     error
}

// Error names the machine.
func (e *DiskError) Error() string { return "machine " + e.Machine + ": " + e.Err.Error() }

// Unwrap gives what went wrong.
func (e *DiskError) Unwrap() error { return e.Err }

// Upper opens what the machine has changed. held are its files without a name, if
// it goes on from a snapshot.
func (m *Machine) Upper(held *statefs.State) (launch.Upper, error) {
	cfg := m.upperConfig()
	cfg.State = held
	upper, err := statefs.Open(cfg)
	if errors.Is(err, statefs.ErrDamaged) {
		err = fmt.Errorf("%w; alpinevm run --name %s --salvage goes on with what can be read, and keeps what is there", err, m.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name(), stateError(err))
	}
	return m.use(upper), nil
}

// use is given what the machine changes.
func (m *Machine) use(upper *statefs.FS) launch.Upper {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.upper = upper
	return named{upper, m}
}

// moved gives the machine, which stands still, another name.
func (m *Machine) moved(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.name, m.dir = name, filepath.Join(filepath.Dir(m.dir), name)
	if m.upper != nil {
		m.upper.Moved(filepath.Join(m.dir, upperDir))
	}
}

func (m *Machine) upperConfig() statefs.Config {
	return statefs.Config{Dir: filepath.Join(m.dir, upperDir), Limit: m.Storage, Salvage: m.Salvage, Tell: m.tell, Failed: m.fail}
}

// Fill makes what the machine has changed of what another one has.
func (m *Machine) Fill(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (launch.Upper, error) {
	upper, err := statefs.Create(m.upperConfig(), changes, contents)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name(), stateError(err))
	}
	return m.use(upper), nil
}

// Failed gives the channel on which a *DiskError comes when the disk has failed:
// the machine is to end, since nothing is kept of what happens in it.
func (m *Machine) Failed() <-chan error { return m.disk.failed }

// tell is statefs.Config's.
func (m *Machine) tell(text string) {
	if m.Tell != nil {
		m.Tell(text)
	}
}

// fail is statefs.Config's.
func (m *Machine) fail(err error) {
	m.tell(err.Error() + "; nothing is kept from here on, and the machine ends")
	err = &DiskError{m.Name(), err}
	m.disk.mu.Lock()
	m.disk.err = err
	m.disk.mu.Unlock()
	m.disk.failed <- err
}

// named is what a machine has changed; what goes wrong at the end names it.
type named struct {
	*statefs.FS
	machine *Machine
}

// Close is part of io.Closer.
func (n named) Close() error {
	err := n.FS.Close()
	if err == nil {
		return nil
	}
	n.machine.disk.mu.Lock()
	defer n.machine.disk.mu.Unlock()
	if n.machine.disk.err != nil {
		return n.machine.disk.err
	}
	return &DiskError{n.machine.Name(), err}
}

// isFull tells whether there is no room on the disk.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
