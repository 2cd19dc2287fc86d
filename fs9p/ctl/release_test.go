package ctl

import (
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestRelease: reads that wait for the host are answered by nothing when they are let
// go, at once while that lasts, and when their file is removed. The state has it.
func TestRelease(t *testing.T) {
	fill := func(c **fstest.Client) *FS {
		fs := New(Config{Post: func(f func()) { (*c).Post(f) }})
		fs.Queue("d/queue", 0o400, 4)
		fs.Signal("d/signal", 0o400, "poweroff\n")
		fs.Lines("d/lines", 0o400, 2)
		fs.Chunks("d/next", "d/data", 0o400, never{})
		fs.Source("d/source", 0o400, never{})
		return fs
	}
	for _, name := range []string{"queue", "signal", "lines", "next", "source"} {
		t.Run(name, func(t *testing.T) {
			var c *fstest.Client
			fs := fill(&c)
			c = fstest.Dial(t, fs9p.Config{FS: fs})
			dir := c.At(c.Root, "d")
			fid := c.MustOpen(dir, name, fs9p.ORdonly)
			nothing := func(r *fstest.Reply) {
				t.Helper()
				if m, ok := r.Message.(*fs9p.Rread); !ok || len(m.Data) != 0 {
					t.Errorf("%+v", r.Message)
				}
			}
			waits := func(tag uint16) *fstest.Reply {
				t.Helper()
				r := c.Send(tag, &fs9p.Tread{Fid: fid, Count: 4})
				if r.Message != nil {
					t.Fatalf("%+v", r.Message)
				}
				return r
			}
			r := waits(1)
			fs.Release("d", true)
			nothing(r)
			nothing(c.Send(2, &fs9p.Tread{Fid: fid, Count: 4}))
			state := fs.Save()
			fs.Release("d", false)
			r = waits(3)
			fs.Remove("d")
			nothing(r)
			nothing(c.Send(4, &fs9p.Tread{Fid: fid, Count: 4}))

			fs = fill(&c)
			if err := fs.Restore(state); err != nil {
				t.Fatal(err)
			}
			c = fstest.Dial(t, fs9p.Config{FS: fs})
			fid = c.MustOpen(c.At(c.Root, "d"), name, fs9p.ORdonly)
			nothing(c.Send(1, &fs9p.Tread{Fid: fid, Count: 4}))
			fs.Release("d/"+name, false)
			waits(2)
		})
	}
}
