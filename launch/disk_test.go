package launch

import (
	"testing"

	"alpinevm/fs9p/memfs"
)

// TestRoom: what a snapshot has of a disk fits in memory, however much it is; a
// limit that somebody gives is that.
func TestRoom(t *testing.T) {
	much := &memfs.State{Files: []memfs.FileState{{Chunks: make([]memfs.ChunkState, 8<<30/memfs.ChunkSize)}}}
	for _, tt := range []struct {
		name          string
		storage, want int64 // at least
		state         *memfs.State
	}{
		{"little", 0, memfs.DefaultLimit, &memfs.State{}},
		{"much", 0, 9 << 30, much},
		{"much, and a limit", 1 << 30, 1 << 30, much},
	} {
		o := &opening{Spec: &Spec{Storage: tt.storage}}
		if got := o.room(tt.state); got < tt.want || tt.storage != 0 && got != tt.storage {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
