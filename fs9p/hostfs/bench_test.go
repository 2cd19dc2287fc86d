package hostfs

import (
	"testing"

	"alpinevm/fs9p"
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
