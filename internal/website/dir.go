package website

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of what a Dir holds.
const (
	MachineFile = "machine.json"
	ChunkDir    = "chunks"
)

// Dir is a folder of the host that takes the files of a machine. It implements Files.
type Dir string

// Make makes the folder.
func (d Dir) Make() error { return os.MkdirAll(filepath.Join(string(d), ChunkDir), 0o755) }

// Put is part of Files.
func (d Dir) Put(name string, data []byte) error {
	file := filepath.Join(string(d), ChunkDir, name)
	if info, err := os.Stat(file); err == nil && info.Size() == int64(len(data)) {
		return nil
	}
	return write(file, data)
}

// Describe puts the description there.
func (d Dir) Describe(m *Machine) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return write(filepath.Join(string(d), MachineFile), data)
}

// write writes a file that is whole or not there.
func write(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Temporary is part of Files.
func (d Dir) Temporary() (Temporary, error) {
	f, err := os.CreateTemp("", "alpinevm-*")
	if err != nil {
		return nil, err
	}
	return temporary{f}, nil
}

type temporary struct{ *os.File }

// Remove is part of Temporary.
func (t temporary) Remove() error { return errors.Join(t.Close(), os.Remove(t.Name())) }

// Chunk gets a chunk. It is a chunked.Source.
func (d Dir) Chunk(name string) ([]byte, error) {
	if !fs.ValidPath(name) || filepath.Base(name) != name {
		return nil, fmt.Errorf("%.40q is no name of a part of a file", name)
	}
	return os.ReadFile(filepath.Join(string(d), ChunkDir, name))
}

// Name is the host's name of a file of the folder.
func (d Dir) Name(file string) string { return filepath.Join(string(d), file) }
