// Package fstest is the acceptance suite that every back end of fs9p passes,
// and the small 9P2000.L client that it drives the server with: what is tested
// is what a guest sees, message by message.
package fstest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
)

// NoFid and NoUID are the numbers that mean none.
const (
	NoFid = 1<<32 - 1
	NoUID = 1<<32 - 1
)

// Client is the client's end of a connection to a Server that it makes itself.
// Its methods fail the test on what is no answer at all; what the server
// refuses is the fs9p.Errno in their last result, 0 for success.
type Client struct {
	TB     testing.TB
	Server *fs9p.Server
	Root   uint32 // a fid on the root, attached by user 0

	posted  chan func()
	tag     uint16
	lastFid uint32
	wire    []byte
}

// Dial makes a server for cfg, whose Post it sets, and a Client that has agreed
// on a version and attached. The test's end closes the server.
func Dial(tb testing.TB, cfg fs9p.Config) *Client {
	tb.Helper()
	c := &Client{TB: tb, posted: make(chan func(), 1024)}
	cfg.Post = func(f func()) { c.posted <- f }
	c.Server = fs9p.New(cfg)
	tb.Cleanup(c.Close)
	c.Must(c.Call(&fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"}))
	c.Root = c.Attach(0)
	return c
}

// Close ends the session and waits until the server is done with its FS.
func (c *Client) Close() {
	c.TB.Helper()
	for done := c.Server.Close(); ; {
		select {
		case <-done:
			return
		case f := <-c.posted:
			f()
		case <-time.After(20 * time.Second):
			c.TB.Fatal("the server did not end within 20 s")
		}
	}
}

// Fid gives a number that is not in use.
func (c *Client) Fid() uint32 {
	c.lastFid++
	return c.lastFid
}

// Tag gives a tag that is not in use, unless 60,000 requests are.
func (c *Client) Tag() uint16 {
	c.tag = (c.tag + 1) % 60000
	return c.tag
}

// Post runs f as the machine goroutine would, during a later Await.
func (c *Client) Post(f func()) { c.posted <- f }

// Send hands a request to the server. What it returns is filled in by the reply.
func (c *Client) Send(tag uint16, m fs9p.Message) *Reply {
	r := &Reply{}
	c.wire = fs9p.Append(c.wire[:0], tag, m)
	c.Server.Serve(c.wire, func(resp []byte) {
		if r.Done {
			c.TB.Fatalf("%T: two replies", m)
		}
		r.Done = true
		if resp == nil {
			return
		}
		got, msg, err := fs9p.Parse(append([]byte(nil), resp...))
		if err != nil || got != tag || int(binary.LittleEndian.Uint32(resp)) != len(resp) {
			c.TB.Fatalf("%T: reply % x: tag %d, %v", m, resp, got, err)
		}
		r.Message = msg
	})
	// The request is the server's during the call only.
	clear(c.wire)
	return r
}

// Reply is what came back for a request: Done with no Message means that the
// server gave the request up.
type Reply struct {
	Done    bool
	Message fs9p.Message
}

// Await runs what was posted until the reply is there.
func (c *Client) Await(r *Reply) fs9p.Message {
	c.TB.Helper()
	for !r.Done {
		c.Step()
	}
	return r.Message
}

// Step runs the next posted function.
func (c *Client) Step() {
	c.TB.Helper()
	select {
	case f := <-c.posted:
		f()
	case <-time.After(20 * time.Second):
		c.TB.Fatal("no reply within 20 s")
	}
}

// Call sends a request and awaits its reply, which is nil where it is Rlerror.
func (c *Client) Call(m fs9p.Message) (fs9p.Message, fs9p.Errno) {
	c.TB.Helper()
	switch r := c.Await(c.Send(c.Tag(), m)).(type) {
	case *fs9p.Rlerror:
		if r.Errno == 0 {
			c.TB.Fatalf("%T: Rlerror 0", m)
		}
		return nil, fs9p.Errno(r.Errno)
	case nil:
		c.TB.Fatalf("%T: no reply", m)
		return nil, fs9p.EIO
	default:
		if r.Type() != m.Type()+1 {
			c.TB.Fatalf("%T: answered by %T", m, r)
		}
		return r, 0
	}
}

// Must fails the test on an error.
func (c *Client) Must(m fs9p.Message, e fs9p.Errno) fs9p.Message {
	c.TB.Helper()
	if e != 0 {
		c.TB.Fatalf("unexpected %v", e)
	}
	return m
}

// OK fails the test on an error.
func (c *Client) OK(e fs9p.Errno) {
	c.TB.Helper()
	if e != 0 {
		c.TB.Fatalf("unexpected %v", e)
	}
}

// Want fails the test unless the error is the one that is expected.
func (c *Client) Want(got, want fs9p.Errno) {
	c.TB.Helper()
	if got != want {
		c.TB.Fatalf("got %v, want %v", errnoName(got), errnoName(want))
	}
}

func errnoName(e fs9p.Errno) string {
	if e == 0 {
		return "success"
	}
	return e.Error()
}

// Attach gives a fid on the root for a user.
func (c *Client) Attach(uid uint32) uint32 {
	c.TB.Helper()
	fid := c.Fid()
	c.Must(c.Call(&fs9p.Tattach{Fid: fid, AFid: NoFid, UID: uid}))
	return fid
}

// Walk gives a new fid on path, relative to dir; an empty path clones dir.
func (c *Client) Walk(dir uint32, path string) (uint32, fs9p.Errno) {
	c.TB.Helper()
	m := &fs9p.Twalk{Fid: dir, NewFid: c.Fid()}
	if path != "" {
		m.Names = strings.Split(path, "/")
	}
	r, e := c.Call(m)
	if e != 0 {
		return NoFid, e
	}
	if len(r.(*fs9p.Rwalk).QIDs) < len(m.Names) {
		return NoFid, fs9p.ENOENT
	}
	return m.NewFid, 0
}

// At is Walk for a path that is there.
func (c *Client) At(dir uint32, path string) uint32 {
	c.TB.Helper()
	fid, e := c.Walk(dir, path)
	if e != 0 {
		c.TB.Fatalf("walk to %s: %v", path, e)
	}
	return fid
}

// Clunk gives up fids.
func (c *Client) Clunk(fids ...uint32) {
	c.TB.Helper()
	for _, fid := range fids {
		c.Must(c.Call(&fs9p.Tclunk{Fid: fid}))
	}
}

// Open gives a new fid on path, open.
func (c *Client) Open(dir uint32, path string, flags uint32) (uint32, fs9p.Errno) {
	c.TB.Helper()
	fid, e := c.Walk(dir, path)
	if e != 0 {
		return NoFid, e
	}
	if _, e := c.Call(&fs9p.Tlopen{Fid: fid, Flags: flags}); e != 0 {
		c.Clunk(fid)
		return NoFid, e
	}
	return fid, 0
}

// MustOpen is Open for what can be opened.
func (c *Client) MustOpen(dir uint32, path string, flags uint32) uint32 {
	c.TB.Helper()
	fid, e := c.Open(dir, path, flags)
	if e != 0 {
		c.TB.Fatalf("open %s: %v", path, e)
	}
	return fid
}

// Create makes a file in the directory dir and opens it.
func (c *Client) Create(dir uint32, name string, flags, mode uint32) (uint32, fs9p.Errno) {
	c.TB.Helper()
	fid := c.At(dir, "")
	if _, e := c.Call(&fs9p.Tlcreate{Fid: fid, Name: name, Flags: flags, Mode: mode}); e != 0 {
		c.Clunk(fid)
		return NoFid, e
	}
	return fid, 0
}

// Put makes or replaces a file with the given content, mode 0644.
func (c *Client) Put(dir uint32, name, content string) {
	c.TB.Helper()
	fid, e := c.Create(dir, name, fs9p.OWronly|fs9p.OTrunc, 0o644)
	if e != 0 {
		c.TB.Fatalf("create %s: %v", name, e)
	}
	c.WriteAll(fid, 0, []byte(content))
	c.Clunk(fid)
}

// WriteAll writes p at off, in as many messages as it takes.
func (c *Client) WriteAll(fid uint32, off uint64, p []byte) {
	c.TB.Helper()
	for len(p) > 0 {
		n, e := c.Write(fid, off, p[:min(len(p), fs9p.DefaultMsize-64)])
		if e != 0 || n == 0 {
			c.TB.Fatalf("write at %d: %d, %v", off, n, errnoName(e))
		}
		p, off = p[n:], off+uint64(n)
	}
}

// Write is one Twrite.
func (c *Client) Write(fid uint32, off uint64, p []byte) (int, fs9p.Errno) {
	c.TB.Helper()
	r, e := c.Call(&fs9p.Twrite{Fid: fid, Offset: off, Data: p})
	if e != 0 {
		return 0, e
	}
	return int(r.(*fs9p.Rwrite).Count), 0
}

// Read is one Tread.
func (c *Client) Read(fid uint32, off uint64, count uint32) ([]byte, fs9p.Errno) {
	c.TB.Helper()
	r, e := c.Call(&fs9p.Tread{Fid: fid, Offset: off, Count: count})
	if e != 0 {
		return nil, e
	}
	return r.(*fs9p.Rread).Data, 0
}

// Slurp reads a whole file through an open fid.
func (c *Client) Slurp(fid uint32) string {
	c.TB.Helper()
	var b []byte
	for {
		p, e := c.Read(fid, uint64(len(b)), 1<<20)
		if e != 0 {
			c.TB.Fatalf("read at %d: %v", len(b), e)
		}
		if len(p) == 0 {
			return string(b)
		}
		b = append(b, p...)
	}
}

// Cat gives the content of the file at path.
func (c *Client) Cat(dir uint32, path string) string {
	c.TB.Helper()
	fid := c.MustOpen(dir, path, fs9p.ORdonly)
	defer c.Clunk(fid)
	return c.Slurp(fid)
}

// Mkdir makes a directory.
func (c *Client) Mkdir(dir uint32, name string, mode uint32) fs9p.Errno {
	c.TB.Helper()
	_, e := c.Call(&fs9p.Tmkdir{Dir: dir, Name: name, Mode: mode})
	return e
}

// Unlink removes an entry.
func (c *Client) Unlink(dir uint32, name string, flags uint32) fs9p.Errno {
	c.TB.Helper()
	_, e := c.Call(&fs9p.Tunlinkat{Dir: dir, Name: name, Flags: flags})
	return e
}

// Rename moves an entry.
func (c *Client) Rename(oldDir uint32, oldName string, newDir uint32, newName string) fs9p.Errno {
	c.TB.Helper()
	_, e := c.Call(&fs9p.Trenameat{OldDir: oldDir, OldName: oldName, NewDir: newDir, NewName: newName})
	return e
}

// Stat is Tgetattr.
func (c *Client) Stat(fid uint32) *fs9p.Rgetattr {
	c.TB.Helper()
	return c.Must(c.Call(&fs9p.Tgetattr{Fid: fid, Mask: fs9p.AttrBasic})).(*fs9p.Rgetattr)
}

// StatAt is Stat of what is at path.
func (c *Client) StatAt(dir uint32, path string) *fs9p.Rgetattr {
	c.TB.Helper()
	fid := c.At(dir, path)
	defer c.Clunk(fid)
	return c.Stat(fid)
}

// Setattr is Tsetattr.
func (c *Client) Setattr(fid uint32, a fs9p.SetAttr) fs9p.Errno {
	c.TB.Helper()
	_, e := c.Call(&fs9p.Tsetattr{Fid: fid, Attr: a})
	return e
}

// Entries takes apart what an Rreaddir carries.
func (c *Client) Entries(data []byte) []fs9p.Dirent {
	c.TB.Helper()
	var list []fs9p.Dirent
	for len(data) > 0 {
		if len(data) < 24 || len(data) < 24+int(binary.LittleEndian.Uint16(data[22:])) {
			c.TB.Fatalf("entry cut short: % x", data)
		}
		n := 24 + int(binary.LittleEndian.Uint16(data[22:]))
		list = append(list, fs9p.Dirent{
			QID: fs9p.QID{
				Type:    data[0],
				Version: binary.LittleEndian.Uint32(data[1:]),
				Path:    binary.LittleEndian.Uint64(data[5:]),
			},
			Cookie: binary.LittleEndian.Uint64(data[13:]),
			Type:   data[21],
			Name:   string(data[24:n]),
		})
		data = data[n:]
	}
	return list
}

// Readdir is one Treaddir of an open directory.
func (c *Client) Readdir(fid uint32, cookie uint64, count uint32) []fs9p.Dirent {
	c.TB.Helper()
	r := c.Must(c.Call(&fs9p.Treaddir{Fid: fid, Offset: cookie, Count: count})).(*fs9p.Rreaddir)
	if len(r.Data) > int(count) {
		c.TB.Fatalf("Rreaddir of %d bytes for a count of %d", len(r.Data), count)
	}
	return c.Entries(r.Data)
}

// List gives the names in a directory but "." and "..", as readdir tells them.
func (c *Client) List(dir uint32, path string) []string {
	c.TB.Helper()
	fid := c.MustOpen(dir, path, fs9p.ORdonly|fs9p.ODirectory)
	defer c.Clunk(fid)
	var names []string
	cookie := uint64(0)
	for {
		list := c.Readdir(fid, cookie, 4096)
		if len(list) == 0 {
			return names
		}
		for _, d := range list {
			if d.Cookie <= cookie {
				c.TB.Fatalf("cookie %d after %d", d.Cookie, cookie)
			}
			cookie = d.Cookie
			if d.Name != "." && d.Name != ".." {
				names = append(names, d.Name)
			}
		}
	}
}

// Dir makes a directory below the root, named for the test, and gives a fid on it.
func (c *Client) Dir() uint32 {
	c.TB.Helper()
	for i := 0; ; i++ {
		name := fmt.Sprintf("t%d", i)
		switch e := c.Mkdir(c.Root, name, 0o755); e {
		case 0:
			return c.At(c.Root, name)
		case fs9p.EEXIST:
		default:
			c.TB.Fatalf("mkdir: %v", e)
		}
	}
}
