package snapshot

import "io"

// Sparse is a file that is written anywhere, as *os.File is; what is not written
// is zero and takes no room.
type Sparse interface {
	io.WriterAt
	Truncate(size int64) error
}

// rawMemory is where memory lies in a raw file.
const rawMemory = PageSize

// WriteRaw writes a snapshot whose memory is raw to an empty file. A file that has a
// Sync method is synced; one whose writing was cut short is no snapshot.
func WriteRaw(f Sparse, h Header, sections []Section, memory Memory) error {
	h.Layout = Raw
	var runs []run
	for page, data := range memory.Pages {
		if _, err := f.WriteAt(data, rawMemory+int64(page)*PageSize); err != nil {
			return err
		}
		runs = append(runs, run{page, uint32(len(data) / PageSize), sum(data)})
	}
	if err := memory.failed(); err != nil {
		return err
	}
	header, err := head(h, sections, runs)
	if err != nil {
		return err
	}
	// The header comes behind the memory, since it has what is learnt of that.
	at := rawMemory + h.Memory
	first := prelude(header, at, rawMemory)
	out := io.NewOffsetWriter(f, at)
	if _, err := out.Write(header); err != nil {
		return err
	}
	at += int64(len(header))
	for _, s := range sections {
		if err := s.write(out); err != nil {
			return err
		}
		at += s.Size()
	}
	if err := f.Truncate(at); err != nil {
		return err
	}
	// The mark comes last: without it a file is none.
	if err := settle(f); err != nil {
		return err
	}
	if _, err := f.WriteAt(first, 0); err != nil {
		return err
	}
	return settle(f)
}

// settle brings what was written to the disk, where there is one.
func settle(f Sparse) error {
	if disk, ok := f.(interface{ Sync() error }); ok {
		return disk.Sync()
	}
	return nil
}
