package kernel

import (
	"os"
	"path/filepath"
)

// DirCache is a Cache in a folder of the host, which is made when it is needed. Several processes may share it. Failures to write cost
// time, not correctness.
type DirCache string

// Load implements Cache.
func (d DirCache) Load(key string) ([]byte, bool) {
	data, err := os.ReadFile(filepath.Join(string(d), key))
	return data, err == nil
}

// Store implements Cache: the file appears whole or not at all.
func (d DirCache) Store(key string, data []byte) {
	if os.MkdirAll(string(d), 0o755) != nil {
		return
	}
	t, err := os.CreateTemp(string(d), ".new-")
	if err != nil {
		return
	}
	_, err = t.Write(data)
	if e := t.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(t.Name(), filepath.Join(string(d), key))
	}
	if err != nil {
		os.Remove(t.Name())
	}
}
