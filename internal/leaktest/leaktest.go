// Package leaktest tells what a test leaves behind in its process: goroutines,
// descriptors, and memory that is mapped outside of Go's heap. It names each thing, and
// does not see what Go's runtime and the C library have by themselves: their threads'
// stacks, and how they cut the heap into mappings. Tests alone import it.
package leaktest

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long what was told to end may take for that.
const patience = 30 * time.Second

// most is how many things are told of.
const most = 50

// Held is what a process holds. Where there is no proc(5) it is goroutines alone.
type Held struct {
	goroutines map[int]string // stacks by number
	files      map[int]string // what they lead to by number
	memory     []mapping      // files without a name, and anonymous memory
}

// Now looks.
func Now() *Held { return &Held{goroutines: goroutines(), files: files(), memory: memory()} }

// Check fails the test if there is more than before after a while, and tells what. Anonymous
// memory has no owner that could be seen: room is how many bytes of addresses Go's heap and
// the stacks of new threads may have added to it.
func (before *Held) Check(t testing.TB, room uint64) {
	t.Helper()
	left := before.left(room)
	for end := time.Now().Add(patience); left != nil && time.Now().Before(end); left = before.left(room) {
		time.Sleep(10 * time.Millisecond)
	}
	for i, l := range left {
		if i == most {
			t.Errorf("left behind: %d more", len(left)-most)
			break
		}
		t.Errorf("left behind: %s", l)
	}
}

// left names what there is more than before.
func (before *Held) left(room uint64) []string {
	now := Now()
	var found []string
	for _, n := range added(before.goroutines, now.goroutines, func(string, string) bool { return true }) {
		found = append(found, now.goroutines[n])
	}
	for _, n := range added(before.files, now.files, func(a, b string) bool { return a == b }) {
		found = append(found, fmt.Sprintf("descriptor %d of %s", n, now.files[n]))
	}
	was, is := sizes(before.memory), sizes(now.memory)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		limit := was[name]
		if name == anonymous {
			limit += room
		}
		if is[name] <= limit {
			continue
		}
		found = append(found, fmt.Sprintf("%d KiB of %s are mapped, %d KiB before, in", is[name]>>10, name, was[name]>>10))
		for _, m := range now.memory {
			if m.name == name && !slices.Contains(before.memory, m) {
				found = append(found, "  "+m.String())
			}
		}
	}
	return found
}

// added are the numbers that are new, or those of something else, in order.
func added(before, now map[int]string, same func(a, b string) bool) []int {
	var numbers []int
	for n, what := range now {
		if was, ok := before[n]; !ok || !same(was, what) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// goroutines are those that are not the runtime's own.
func goroutines() map[int]string {
	b := make([]byte, 1<<20)
	for n := runtime.Stack(b, true); ; n = runtime.Stack(b, true) {
		if n < len(b) {
			b = b[:n]
			break
		}
		b = make([]byte, 2*len(b))
	}
	found := map[int]string{}
	for stack := range strings.SplitSeq(string(b), "\n\n") {
		var n int
		if _, err := fmt.Sscanf(stack, "goroutine %d ", &n); err == nil {
			found[n] = stack
		}
	}
	return found
}

// files are the descriptors that are open.
func files() map[int]string {
	const dir = "/proc/self/fd"
	entries, _ := os.ReadDir(dir)
	found := map[int]string{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if link, err := os.Readlink(dir + "/" + e.Name()); err == nil { // the one that dir was read by is closed
			found[n] = link
		}
	}
	return found
}

// A mapping is a line of /proc/self/maps.
type mapping struct {
	from, to    uint64
	permissions string
	name        string
}

func (m mapping) String() string {
	return fmt.Sprintf("%x-%x %s, %d KiB", m.from, m.to, m.permissions, (m.to-m.from)>>10)
}

// anonymous is the name of private memory of no file.
const anonymous = "anonymous memory"

// memory is what a machine's memory can be among: files without a name, and anonymous
// memory that can be written. Go reserves much that cannot be accessed.
func memory() []mapping {
	data, _ := os.ReadFile("/proc/self/maps")
	var found []mapping
	for line := range strings.Lines(string(data)) {
		var m mapping
		var offset, device string
		var inode uint64
		n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %d %s", &m.from, &m.to, &m.permissions, &offset, &device, &inode, &m.name)
		switch {
		case n == 6 && inode == 0 && strings.HasPrefix(m.permissions, "rw"):
			m.name = anonymous
		case n == 7 && (strings.HasPrefix(m.name, "/memfd:") || strings.HasPrefix(m.name, "/dev/zero")):
		default: // programs, libraries, and what the kernel has a name for: Go's heap, the first stack
			continue
		}
		found = append(found, m)
	}
	return found
}

// sizes adds mappings up by their names.
func sizes(memory []mapping) map[string]uint64 {
	sum := map[string]uint64{}
	for _, m := range memory {
		sum[m.name] += m.to - m.from
	}
	return sum
}
