package hostfs

import (
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

const sequential = 64 << 20

func BenchmarkWriteSequential(b *testing.B) {
	c := dial(b, b.TempDir())
	fid, e := c.Create(c.Root, "big", fs9p.ORdwr, 0o644)
	c.OK(e)
	p := make([]byte, sequential)
	b.SetBytes(sequential)
	for b.Loop() {
		c.WriteAll(fid, 0, p)
	}
}

func BenchmarkReadSequential(b *testing.B) {
	c := dial(b, b.TempDir())
	fid, e := c.Create(c.Root, "big", fs9p.ORdwr, 0o644)
	c.OK(e)
	c.WriteAll(fid, 0, make([]byte, sequential))
	b.SetBytes(sequential)
	for b.Loop() {
		for off := uint64(0); off < sequential; off += 500_000 {
			if _, e := c.Read(fid, off, 500_000); e != 0 {
				b.Fatal(e)
			}
		}
	}
}

// BenchmarkStat walks to a file and asks for its attributes.
func BenchmarkStat(b *testing.B) {
	c := dial(b, b.TempDir())
	c.Put(c.Root, "f", "x")
	for b.Loop() {
		c.StatAt(c.Root, "f")
	}
}

// BenchmarkDeep finds the deepest folder there can be when all above it are closed.
func BenchmarkDeep(b *testing.B) {
	fs := open(b, b.TempDir())
	c := fstest.Dial(b, fs9p.Config{FS: fs})
	at := c.At(c.Root, "")
	for range maxDepth {
		c.OK(c.Mkdir(at, "d", 0o755))
		c.Must(c.Call(&fs9p.Twalk{Fid: at, NewFid: at, Names: []string{"d"}}))
	}
	for b.Loop() {
		for fs.folders.Len() > 0 {
			fs.closeFolder(fs.folders.Back().Value.(*inode))
		}
		c.Stat(at)
	}
}

// BenchmarkList lists a folder of 20,000 files; a request is told of as many as
// an answer may hold.
func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	files(b, dir, 20_000)
	c := dial(b, dir)
	requests := 0
	for b.Loop() {
		fid := c.MustOpen(c.Root, "", fs9p.ORdonly)
		for cookie := uint64(0); ; requests++ {
			list := c.Readdir(fid, cookie, 500_000)
			if len(list) == 0 {
				break
			}
			cookie = list[len(list)-1].Cookie
		}
		c.Clunk(fid)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(requests), "us/request")
}
