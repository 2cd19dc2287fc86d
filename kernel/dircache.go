package kernel

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
)

// DirCache is a Cache in a folder of the host, which is made when it is needed. Several processes may share it. Failures to write cost
// time, not correctness. A file is the data with their CRC-32C, the lowest byte first, behind them: one that has been changed is as good
// as none.
type DirCache string

const crcSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Load implements Cache.
func (d DirCache) Load(key string) ([]byte, bool) {
	file, err := os.ReadFile(filepath.Join(string(d), key))
	if err != nil || len(file) < crcSize {
		return nil, false
	}
	data, sum := file[:len(file)-crcSize], file[len(file)-crcSize:]
	return data, binary.LittleEndian.Uint32(sum) == crc32.Checksum(data, castagnoli)
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
	if _, err = t.Write(data); err == nil {
		_, err = t.Write(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli)))
	}
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
