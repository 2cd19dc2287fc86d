package fs9p

import (
	"maps"
	"math/rand"
	"runtime"
	"testing"
)

// TestTable does the same to a Table and to a map.
func TestTable(t *testing.T) {
	for _, keys := range []int{3, 100, 3 * tableSplit} {
		rnd := rand.New(rand.NewSource(int64(keys)))
		var table Table[int, int]
		plain := map[int]int{}
		for step := range 8 * keys {
			k := rnd.Intn(keys)
			// It fills, and empties.
			if full := step / (2 * keys) % 2; rnd.Intn(4) < 1+2*full {
				table.Delete(k)
				delete(plain, k)
			} else {
				table.Put(k, step)
				plain[k] = step
			}
			k = rnd.Intn(keys)
			v, ok := table.Find(k)
			if want, there := plain[k]; v != want || ok != there || table.At(k) != want {
				t.Fatalf("step %d: %d is %d, %v; want %d, %v", step, k, v, ok, want, there)
			}
			if table.Len() != len(plain) {
				t.Fatalf("step %d: %d entries, want %d", step, table.Len(), len(plain))
			}
		}
		if got := maps.Collect(table.All()); !maps.Equal(got, plain) {
			t.Errorf("%d keys: %d entries, want %d", keys, len(got), len(plain))
		}
		for k := range plain {
			table.Delete(k)
		}
		if table.Len() != 0 || table.parts != nil {
			t.Errorf("%d entries are left in %d parts", table.Len(), len(table.parts))
		}
	}
}

// TestTableShrinks looks at the memory of tables of which little is left.
func TestTableShrinks(t *testing.T) {
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, most := range []int{1000, tableSplit, 500_000} {
		for _, left := range []int{most / 2, most / 10, most / 100, 10} {
			before := held()
			var table Table[int, [2]int]
			for k := range most {
				table.Put(k, [2]int{k})
			}
			for k := range most - left {
				table.Delete(k)
			}
			// A map of 24 bytes an entry that was just filled takes 28 to 56, one
			// that may have been four times as large, 224.
			if got := held() - before; got > 20_000+int64(left)*300 {
				t.Errorf("%d of %d entries take %d bytes", left, most, got)
			}
			runtime.KeepAlive(&table)
		}
	}
}
