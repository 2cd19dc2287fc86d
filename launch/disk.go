package launch

import (
	"errors"
	"fmt"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
)

// diskState is what a snapshot holds of what was changed in a root, where that is
// kept on the disk.
type diskState struct {
	Apart bool // it is in a folder besides, but for
	Held  []byte
	Upper memfs.State // where it is not
}

// frozenState is diskState when it is written.
type frozenState struct {
	Apart bool
	Held  []byte
	Upper memfs.LateState
}

// Disk is what a machine that is kept on the disk has changed, as its snapshot
// holds it. It is an alpinevm.Late.
type Disk struct {
	frozen *statefs.Frozen
	apart  bool
}

// DiskOf names it among what an alpinevm.Snapshot keeps.
const DiskOf = keptDisk

// Folder makes a folder of it (statefs.Copy), which is there until Close. The
// snapshot then does not hold it.
func (d *Disk) Folder() (string, error) {
	d.apart = true
	return d.frozen.Folder()
}

// Close is part of alpinevm.Late.
func (d *Disk) Close() error { return d.frozen.Close() }

// IsApart tells whether a snapshot's machine has files in a folder besides.
func IsApart(s *alpinevm.Snapshot) bool {
	var disk diskState
	return s.Has(keptDisk) && s.Decode(keptDisk, &disk) == nil && disk.Apart
}

// State is part of alpinevm.Late.
func (d *Disk) State() (any, error) {
	if d.apart {
		return frozenState{Apart: true, Held: d.frozen.Nameless}, nil
	}
	upper, err := memfs.LateStateOf(d.frozen)
	return frozenState{Upper: upper}, err
}

// errApart is of a snapshot whose files are elsewhere.
var errApart = errors.New("the machine's files are not in the snapshot, but in the folder of the machine that was made with it")

// saved gives the state of a file system in memory as a snapshot has it. What was
// kept on the disk is such a one too.
func (o *opening) saved(name string) (state memfs.State, err error) {
	if name != keptUpper || !o.From.Has(keptDisk) {
		return state, o.From.Decode(name, &state)
	}
	var disk diskState
	if err := o.From.Decode(keptDisk, &disk); err != nil {
		return state, err
	}
	if disk.Apart {
		return state, errApart
	}
	return disk.Upper, nil
}

// spareRoom is what a guest can add, at least, to the files of a snapshot, in bytes.
const spareRoom = 1 << 30

// room is how much a file system in memory may hold that begins with what a
// snapshot has, which may have been on a disk.
func (o *opening) room(s *memfs.State) int64 {
	if o.Storage != 0 {
		return o.Storage
	}
	held := int64(spareRoom)
	for _, f := range s.Files {
		held += int64(len(f.First)) + int64(len(f.Chunks))*(memfs.ChunkSize+memfs.ChunkSize/64)
	}
	return max(memfs.DefaultLimit, held)
}

// upperOnDisk opens what the machine has changed in lower, or makes it of what a
// snapshot holds.
func (o *opening) upperOnDisk(lower fs9p.FS) (Upper, error) {
	if o.From == nil {
		return o.Kept.Upper(nil)
	}
	if o.From.Has(keptDisk) {
		var disk diskState
		if err := o.From.Decode(keptDisk, &disk); err != nil {
			return nil, err
		}
		if disk.Apart {
			return o.Kept.Upper(&statefs.State{Nameless: disk.Held})
		}
	}
	state, err := o.saved(keptUpper)
	if err != nil {
		return nil, fmt.Errorf("the snapshot's files: %w", err)
	}
	m, err := memfs.Restore(memfs.Config{Limit: o.room(&state)}, state)
	if err != nil {
		return nil, fmt.Errorf("the snapshot's files: %w", err)
	}
	var held overlay.State
	if err := o.From.Decode(keptOverlay, &held); err != nil {
		return nil, fmt.Errorf("the snapshot's files: %w", err)
	}
	// A file in memory may borrow from lower, which one on the disk does not.
	if _, err := overlay.New(overlay.Config{Upper: m, Lower: lower, State: &held}); err != nil {
		return nil, fmt.Errorf("the snapshot's files: %w", err)
	}
	return o.Kept.Fill(state.Tree, m.Contents())
}
