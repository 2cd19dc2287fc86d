package fs9p

import (
	"math"
	"math/rand"
	"testing"
)

// TestLocks plays random locks of a few owners on a few bytes and compares with
// a table of who has locked each byte.
func TestLocks(t *testing.T) {
	const bytes, owners = 12, 4
	for seed := range int64(200) {
		rnd := rand.New(rand.NewSource(seed))
		table := lockTable{files: map[uint64][]lock{}}
		var fids [owners]*fid
		for i := range fids {
			fids[i] = &fid{inode: &inode{node: &stubNode{s: &stub{}}}}
		}
		path := fids[0].inode.node.QID().Path
		var model [owners][bytes + 1]uint8 // kind and one; the last is all that follows
		for step := range 300 {
			who := rnd.Intn(owners)
			if rnd.Intn(20) == 0 {
				table.unlock(fids[who])
				model[who] = [bytes + 1]uint8{}
			} else {
				l := lock{fid: fids[who], proc: uint32(who), kind: uint8(rnd.Intn(3))}
				start := rnd.Intn(bytes)
				if err := l.span(uint64(start), uint64(rnd.Intn(bytes+1-start))); err != nil {
					t.Fatal(err)
				}
				to := int(min(l.end, bytes))
				want := uint8(LockSuccess)
				for other := range owners {
					for b := int(l.start); b <= to; b++ {
						if has := model[other][b]; other != who && has != 0 && l.kind != LockUnlock && (l.kind == LockWrite || has == LockWrite+1) {
							want = LockBlocked
						}
					}
				}
				if got := table.set(path, l); got != want {
					t.Fatalf("seed %d, step %d: %d, want %d", seed, step, got, want)
				}
				for b := int(l.start); b <= to && want == LockSuccess; b++ {
					model[who][b] = (l.kind + 1) % (LockUnlock + 1)
				}
			}
			checkLocks(t, &table, path, fids[:], func(who int, b uint64) uint8 { return model[who][min(b, bytes)] })
		}
	}
}

// checkLocks compares a table with a model: of each owner, the kind and one, or 0,
// at a byte.
func checkLocks(t *testing.T, table *lockTable, path uint64, fids []*fid, want func(who int, b uint64) uint8) {
	t.Helper()
	if held := table.files[path]; len(held) != table.count || cap(held) > 4*len(held)+16 {
		t.Fatalf("%d locks in the memory of %d are counted as %d", len(held), cap(held), table.count)
	}
	for who, f := range fids {
		for _, b := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1000, math.MaxUint64} {
			var has uint8
			for _, h := range table.files[path] {
				if h.fid == f && h.start <= b && b <= h.end {
					if has != 0 {
						t.Fatalf("owner %d has locked byte %d twice: %+v", who, b, table.files[path])
					}
					has = h.kind + 1
				}
			}
			if has != want(who, b) {
				t.Fatalf("owner %d, byte %d: %d, want %d", who, b, has, want(who, b))
			}
		}
	}
}

// TestLocksFull: what would make more locks than there may be changes nothing, and
// what makes none more can be done.
func TestLocksFull(t *testing.T) {
	table := lockTable{files: map[uint64][]lock{}}
	f := &fid{inode: &inode{node: &stubNode{s: &stub{}}}}
	for i := range uint64(maxLocks) {
		table.enter(2, lock{start: 4 * i, end: 4*i + 2, fid: f, kind: LockWrite})
	}
	for _, row := range []struct {
		name       string
		path       uint64
		start, end uint64
		kind, want uint8
		count      int
	}{
		{"one more", 2, 3, 3, LockRead, LockError, maxLocks},
		{"one more of another file", 3, 3, 3, LockRead, LockError, maxLocks},
		{"the middle of one", 2, 1, 1, LockUnlock, LockError, maxLocks},
		{"another kind", 2, 0, 2, LockRead, LockSuccess, maxLocks},
		{"the end of one", 2, 2, 3, LockUnlock, LockSuccess, maxLocks},
		{"two in one", 2, 4, 10, LockRead, LockSuccess, maxLocks - 1},
		{"all but two", 2, 12, math.MaxUint64, LockUnlock, LockSuccess, 2},
	} {
		got := table.set(row.path, lock{start: row.start, end: row.end, fid: f, kind: row.kind})
		if got != row.want || table.count != row.count || len(table.files[2]) != row.count {
			t.Errorf("%s: %d and %d locks, want %d and %d", row.name, got, table.count, row.want, row.count)
		}
	}
	table.unlock(f)
	if table.count != 0 || len(table.files) != 0 {
		t.Errorf("%d locks are left", table.count)
	}
}

// enter is set without a look at other locks.
func (t *lockTable) enter(path uint64, l lock) {
	t.files[path] = append(t.files[path], l)
	t.count++
}
