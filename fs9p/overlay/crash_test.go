package overlay_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// step is what the guest asks for in one go; it needs nothing but the files that
// the steps before it have left. It gives the file whose data it writes, and the
// one that it syncs.
type step struct {
	what string
	do   func(c *fstest.Client) (wrote, synced string)
}

// apk makes the steps of apk-tools 2 as it adds, upgrades and deletes packages
// (src/database.c, src/archive.c).
type apk struct {
	rnd   *rand.Rand
	steps []step
	dirs  map[string]bool
}

func (a *apk) add(what string, do func(c *fstest.Client) (wrote, synced string)) {
	a.steps = append(a.steps, step{what, do})
}

// at calls f with a fid on a file.
func at(c *fstest.Client, name string, f func(fid uint32) fs9p.Errno) {
	c.TB.Helper()
	fid := c.At(c.Root, name)
	if e := f(fid); e != 0 {
		c.TB.Fatalf("%s: %v", name, e)
	}
	c.Clunk(fid)
}

func call(c *fstest.Client, m fs9p.Message) fs9p.Errno {
	_, e := c.Call(m)
	return e
}

func (a *apk) mkdir(name string) {
	if name == "." || a.dirs[name] {
		return
	}
	a.mkdir(path.Dir(name))
	a.dirs[name] = true
	a.add("mkdir "+name, func(c *fstest.Client) (wrote, synced string) {
		at(c, path.Dir(name), func(fid uint32) fs9p.Errno { return c.Mkdir(fid, path.Base(name), 0o755) })
		return "", ""
	})
}

func (a *apk) set(name string, attr fs9p.SetAttr) {
	a.add(fmt.Sprintf("set %s %#x", name, attr.Valid), func(c *fstest.Client) (wrote, synced string) {
		at(c, name, func(fid uint32) fs9p.Errno { return c.Setattr(fid, attr) })
		return "", ""
	})
}

// write makes a file, or appends to one, a page a step: what a killed process
// has written of more is not defined.
func (a *apk) write(name, content string, fresh bool) {
	if fresh {
		a.add("create "+name, func(c *fstest.Client) (wrote, synced string) {
			at(c, path.Dir(name), func(fid uint32) fs9p.Errno {
				f, e := c.Create(fid, path.Base(name), fs9p.OWronly|fs9p.OExcl, 0o600)
				c.Clunk(f)
				return e
			})
			return "", ""
		})
	}
	for off := 0; off < len(content); off += 4096 {
		part := content[off:min(off+4096, len(content))]
		a.add(fmt.Sprintf("write %s at %d", name, off), func(c *fstest.Client) (wrote, synced string) {
			f := c.MustOpen(c.Root, name, fs9p.OWronly)
			c.WriteAll(f, uint64(off), []byte(part))
			c.Clunk(f)
			return name, ""
		})
	}
}

func (a *apk) sync(name string) {
	a.add("sync "+name, func(c *fstest.Client) (wrote, synced string) {
		f := c.MustOpen(c.Root, name, fs9p.ORdonly)
		c.Must(c.Call(&fs9p.Tfsync{Fid: f}))
		c.Clunk(f)
		return "", name
	})
}

func (a *apk) rename(from, to string) {
	a.add(fmt.Sprintf("rename %s %s", from, to), func(c *fstest.Client) (wrote, synced string) {
		at(c, path.Dir(from), func(fid uint32) fs9p.Errno {
			dir := c.At(c.Root, path.Dir(to))
			defer c.Clunk(dir)
			return c.Rename(fid, path.Base(from), dir, path.Base(to))
		})
		return "", ""
	})
}

func (a *apk) unlink(name string) {
	a.add("unlink "+name, func(c *fstest.Client) (wrote, synced string) {
		at(c, path.Dir(name), func(fid uint32) fs9p.Errno { return c.Unlink(fid, path.Base(name), 0) })
		return "", ""
	})
}

// temp is the name under which apk unpacks a file.
func temp(name string) string { return path.Join(path.Dir(name), ".apk."+path.Base(name)) }

// database replaces a file of /lib/apk/db.
func (a *apk) database(name, content string) {
	name = "lib/apk/db/" + name
	a.write(name+".new", content, true)
	if a.rnd.Intn(2) == 0 {
		a.sync(name + ".new")
	}
	a.rename(name+".new", name)
}

// install unpacks a version of a package and renames its files to their places.
func (a *apk) install(pkg, version int) {
	dir := fmt.Sprintf("usr/share/p%d", pkg)
	var names []string
	for i := range 6 {
		name := fmt.Sprintf("%s/d%d/f%d", dir, i/3, i)
		a.mkdir(path.Dir(name))
		names = append(names, name)
		content := fmt.Sprintf("package %d version %d file %d ", pkg, version, i)
		a.write(temp(name), strings.Repeat(content, 1+a.rnd.Intn(9000)/len(content)), true)
		a.set(temp(name), fs9p.SetAttr{Valid: fs9p.SetUID | fs9p.SetGID, UID: uint32(i), GID: 5})
		a.set(temp(name), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: []uint32{0o644, 0o755, 0o4755}[i%3]})
		a.set(temp(name), fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: fs9p.Timespec{Sec: int64(version)}})
		if a.rnd.Intn(8) == 0 {
			a.sync(temp(name))
		}
	}
	link, hard := dir+"/link", dir+"/hard"
	names = append(names, link, hard)
	a.add("symlink "+temp(link), func(c *fstest.Client) (wrote, synced string) {
		at(c, dir, func(fid uint32) fs9p.Errno {
			return call(c, &fs9p.Tsymlink{Fid: fid, Name: path.Base(temp(link)), Target: fmt.Sprint("d0/f", version%3)})
		})
		return "", ""
	})
	a.add("link "+temp(hard), func(c *fstest.Client) (wrote, synced string) {
		at(c, dir, func(fid uint32) fs9p.Errno {
			target := c.At(c.Root, temp(names[0]))
			defer c.Clunk(target)
			return call(c, &fs9p.Tlink{Dir: fid, Fid: target, Name: path.Base(temp(hard))})
		})
		return "", ""
	})
	for _, name := range names {
		a.rename(temp(name), name)
	}
	a.database("installed", fmt.Sprintf("installed %d %d\n", pkg, version))
	a.write("var/log/apk.log", strings.Repeat("log ", 1+pkg), false)
}

func (a *apk) remove(pkg int) {
	dir := fmt.Sprintf("usr/share/p%d", pkg)
	for i := range 6 {
		a.unlink(fmt.Sprintf("%s/d%d/f%d", dir, i/3, i))
	}
	a.unlink(dir + "/link")
	a.unlink(dir + "/hard")
	a.database("installed", fmt.Sprintf("removed %d\n", pkg))
}

// apkSteps are the steps of a session with apk, always the same.
func apkSteps() []step {
	a := &apk{rnd: rand.New(rand.NewSource(1)), dirs: map[string]bool{"usr": true, "lib/apk/db": true, "var/log": true}}
	for i := range 7 {
		a.install(i%3, 2*i)
		a.install(i%3, 2*i+1) // an upgrade
		a.rename(fmt.Sprintf("usr/lib%d", i), fmt.Sprintf("usr/moved%d", i))
		a.unlink(fmt.Sprintf("etc/conf%d", i))
		a.set(fmt.Sprintf("etc/large%d", i), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600})
		a.remove(i % 3)
	}
	return a.steps
}

// apkLower is the image that apk works on.
func apkLower(t testing.TB) fs9p.FS {
	t.Helper()
	m := memfs.New(memfs.Config{})
	file := func(name, content string) {
		if err := m.Add(name, memfs.Entry{Mode: 0o644, Data: strings.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	file("lib/apk/db/installed", "nothing")
	file("var/log/apk.log", "log of the image")
	for i := range 7 {
		file(fmt.Sprintf("usr/lib%d/a", i), "a")
		file(fmt.Sprintf("etc/conf%d", i), "configuration")
		file(fmt.Sprintf("etc/large%d", i), strings.Repeat("large", 20_000))
	}
	return number(t, m)
}

const (
	envCrashDir  = "ALPINEVM_TEST_CRASH_DIR"
	envCrashStep = "ALPINEVM_TEST_CRASH_STEP"
)

// crashChild makes steps, and says so, until it is killed.
func crashChild(t *testing.T, dir string) {
	first := 0
	fmt.Sscan(os.Getenv(envCrashStep), &first)
	c := fstest.Dial(t, fs9p.Config{FS: openLasting(t, dir, apkLower(t))})
	for i, s := range apkSteps()[first:] {
		_, synced := s.do(c)
		end := int64(0)
		if synced != "" {
			end = journalEnd(t, dir)
		}
		fmt.Printf("done %d %d\n", first+i+1, end)
	}
	time.Sleep(time.Hour) // the parent kills it
}

// Where the first frame of a journal begins, and how long its head is
// (statefs/frame.go).
const (
	headerEnd = 4096
	frameHead = 16
)

func journal(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frameEnd is the end of the frame at a place of a journal; that place where there is
// no whole one.
func frameEnd(b []byte, at int64) int64 {
	if at+frameHead > int64(len(b)) {
		return at
	}
	n := int64(binary.LittleEndian.Uint32(b[at:]))
	if n == 0 || at+frameHead+n > int64(len(b)) {
		return at
	}
	return at + frameHead + n
}

// journalEnd is the end of the last frame of a journal.
func journalEnd(t testing.TB, dir string) int64 {
	t.Helper()
	b, end := journal(t, dir), int64(headerEnd)
	for next := frameEnd(b, end); next > end; next = frameEnd(b, end) {
		end = next
	}
	return end
}

// A moment is what there is to be behind a number of steps.
type moment struct {
	all, names string            // dump, and outline
	files      map[string]uint64 // names and inodes of regular files
	synced     map[uint64]string // what inodes hold that are as they were synced, if they are there
}

// outline is a dump without what files hold, and the inodes of files.
func outline(t testing.TB, fs fs9p.FS) (text string, files map[string]uint64) {
	t.Helper()
	files = map[string]uint64{}
	var b strings.Builder
	var visit func(name string, n fs9p.Node)
	visit = func(name string, n fs9p.Node) {
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %o %d:%d %d", name, a.Mode, a.UID, a.GID, a.Nlink)
		switch a.Mode & fs9p.ModeType {
		case fs9p.ModeRegular:
			files[name] = n.QID().Path
		case fs9p.ModeSymlink:
			target, _ := n.Readlink()
			b.WriteString(" " + target)
		case fs9p.ModeDir:
			for _, d := range entries(t, n) {
				c, err := n.Walk(d.Name)
				if err != nil {
					t.Fatal(err)
				}
				visit(name+"/"+d.Name, c)
				c.Release()
			}
		}
		b.WriteByte('\n')
	}
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	visit("", root)
	return b.String(), files
}

// A model does the steps in memory and remembers every moment.
type model struct {
	t       *testing.T
	fs      fs9p.FS
	c       *fstest.Client
	steps   []step
	moments []moment
	checked int // synced files that were compared
}

func newModel(t *testing.T) *model {
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: apkLower(t)})
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, fs: fs, c: fstest.Dial(t, fs9p.Config{FS: fs}), steps: apkSteps()}
	m.look(map[uint64]string{})
	return m
}

func (m *model) look(synced map[uint64]string) {
	names, files := outline(m.t, m.fs)
	m.moments = append(m.moments, moment{dump(m.t, m.fs), names, files, synced})
}

// at gives the moment behind n steps.
func (m *model) at(n int) *moment {
	for len(m.moments) <= n {
		last := &m.moments[len(m.moments)-1]
		wrote, synced := m.steps[len(m.moments)-1].do(m.c)
		now := maps.Clone(last.synced)
		if wrote != "" {
			delete(now, last.files["/"+wrote])
		}
		if synced != "" {
			now[last.files["/"+synced]] = m.c.Cat(m.c.Root, synced)
		}
		m.look(now)
	}
	return &m.moments[n]
}

// TestCrash kills processes in which apk works on a union whose upper is in a
// folder, each going on where the one before it was killed. What is there then
// is what some number of whole steps have made, and no step is lost that was
// acknowledged.
//
// A failure of the host is tried on copies of the folder: of the journal is
// there what was synced, and some of the rest. Then the names are those of some
// moment since, and what was synced is whole.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(envCrashDir); dir != "" {
		crashChild(t, dir)
	}
	kills := 200
	if testing.Short() {
		kills = 20
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(t)
	rnd := rand.New(rand.NewSource(1))
	temp := inMemory(t)
	dir := filepath.Join(temp, "state")
	at, rounds, inStep, torn := 0, 1, 0, 0
	for kill := range kills {
		if at >= len(m.steps)-1 { // apk has done all that it has to do
			os.RemoveAll(dir)
			at = 0
			rounds++
		}
		// What is there at the start is synced before the process makes a step.
		synced, syncedEnd := at, int64(0)
		if at > 0 {
			syncedEnd = journalEnd(t, dir)
		}
		acked, s, e := runAndKill(t, exe, dir, at, min(at+1+rnd.Intn(12), len(m.steps)-1), rnd)
		if s > 0 {
			synced, syncedEnd = s, e
		}
		if syncedEnd == 0 { // a new one: its first frame is the state that it begins with
			syncedEnd = frameEnd(journal(t, dir), headerEnd)
		}
		// The step that was not acknowledged may have synced more.
		next := min(acked+1, len(m.steps))
		if now := journalEnd(t, dir); now > syncedEnd && !strings.HasPrefix(m.steps[next-1].what, "sync") {
			torn++
			dead := filepath.Join(temp, "torn")
			copyTree(t, dir, dead)
			if err := os.Truncate(filepath.Join(dead, "journal"), syncedEnd+rnd.Int63n(now-syncedEnd)); err != nil {
				t.Fatal(err)
			}
			m.checkTorn(dead, synced, next)
			os.RemoveAll(dead)
		}
		got := func() string {
			dead := filepath.Join(temp, "dead")
			copyTree(t, dir, dead)
			defer os.RemoveAll(dead)
			fs := openLasting(t, dead, apkLower(t))
			defer fs.upper.Close()
			return dump(t, fs)
		}()
		switch got {
		case m.at(acked).all:
			at = acked
		case m.at(next).all:
			at = next
			inStep++
		default:
			t.Fatalf("kill %d behind step %d, %s, which was to follow:\nthere is\n%s\nand was\n%s", kill, acked, m.steps[next-1].what, got, m.at(acked).all)
		}
	}
	t.Logf("%d kills in %d rounds of %d steps, %d of them behind a step that was not acknowledged yet; %d torn journals, %d synced files found whole", kills, rounds, len(m.steps), inStep, torn, m.checked)
	if torn < kills/10 || m.checked < kills/4 {
		t.Errorf("only %d journals were torn, %d files compared", torn, m.checked)
	}
}

// inMemory is a folder for the test on a disk that is none, where there is one:
// what counts here is what was asked to be synced, not that it takes long.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "crash")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// runAndKill runs a process from step first on, and kills it some time behind
// step last. It gives the last step that the process has acknowledged, the last
// one of these that synced something, and where the journal ended then.
func runAndKill(t *testing.T, exe, dir string, first, last int, rnd *rand.Rand) (acked, synced int, end int64) {
	t.Helper()
	cmd := exec.Command(exe, "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), envCrashDir+"="+dir, fmt.Sprint(envCrashStep, "=", first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked = first
	var other strings.Builder
	in := bufio.NewScanner(out)
	for in.Scan() {
		var n int
		var e int64
		if _, err := fmt.Sscanf(in.Text(), "done %d %d", &n, &e); err != nil {
			other.WriteString(in.Text() + "\n")
			continue
		}
		if acked = n; e > 0 {
			synced, end = n, e
		}
		if n == last {
			later := time.Duration(rnd.Intn(500)) * time.Microsecond
			go func() {
				time.Sleep(later)
				cmd.Process.Kill()
			}()
		}
	}
	if err := cmd.Wait(); acked < last || err == nil {
		t.Fatalf("the process ended behind step %d by itself: %v\n%s", acked, err, other.String())
	}
	return acked, synced, end
}

// checkTorn checks a folder of which the journal is there as far as it was
// synced behind step synced, and some of the steps up to last.
func (m *model) checkTorn(dir string, synced, last int) {
	m.t.Helper()
	fs := openLasting(m.t, dir, apkLower(m.t))
	defer fs.upper.Close()
	got, _ := outline(m.t, fs)
	c := fstest.Dial(m.t, fs9p.Config{FS: fs})
	defer c.Close()
	wrong := "the names of no moment"
	for j := synced; j <= last; j++ {
		now := m.at(j)
		if now.names != got {
			continue
		}
		wrong = ""
		for name, id := range now.files {
			want, ok := m.at(synced).synced[id]
			if _, still := m.at(last).synced[id]; !ok || !still {
				continue
			}
			m.checked++
			if got := c.Cat(c.Root, strings.TrimPrefix(name, "/")); got != want {
				wrong = fmt.Sprintf("%s, which was synced, holding %.60q where %.60q should be", name, got, want)
			}
		}
		if wrong == "" {
			return
		}
	}
	m.t.Fatalf("the host failed between steps %d and %d; there is %s:\n%s", synced, last, wrong, got)
}
