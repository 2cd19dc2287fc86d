package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFrames reads any bytes as a client's: nothing panics, and little is held.
func FuzzFrames(f *testing.F) {
	request, _ := json.Marshal(Request{Version: Version, Verb: Exec, Command: &Command{Args: []string{"true"}}})
	f.Add(AppendFrame(AppendFrame(nil, KindRequest, request), KindStdin, []byte("input")))
	f.Add([]byte{1, 255, 255, 255, 255})
	f.Add(AppendFrame(nil, KindRequest, []byte(`{"Version":2}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		for {
			kind, p, err := ReadFrame(r, nil)
			if err != nil {
				return
			}
			if len(p) > MaxFrame || kind == 0 || kind >= kindEnd {
				t.Fatalf("frame %d of %d bytes", kind, len(p))
			}
			if again := AppendFrame(nil, kind, p); !bytes.Contains(data, again) {
				t.Fatalf("frame %x is not in %x", again, data)
			}
			if kind == KindRequest {
				if q, err := ParseRequest(p); err == nil && q.Version != Version {
					t.Fatal("another version")
				}
			}
		}
	})
}

// serve serves a socket by handle.
func serve(t *testing.T, handle func(*Request, *Conn) error) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "avm") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Handle = handle
	go s.Serve()
	t.Cleanup(func() {
		s.Close()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	return path
}

// TestServer has clients of all manners.
func TestServer(t *testing.T) {
	path := serve(t, func(r *Request, c *Conn) error {
		switch r.Verb {
		case Info:
			return c.SendJSON(KindReply, Reply{Machine: &Machine{Name: "box", Memory: 1 << 30}})
		case Attach:
			c.Writer(KindStdout).Write(bytes.Repeat([]byte("x"), MaxFrame+5))
			c.Writer(KindStderr).Write([]byte("y"))
			return c.SendJSON(KindExit, Exit{Code: 3})
		case Wait:
			return nil
		}
		return errors.New("no such verb: " + r.Verb)
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	r, err := Ask(path, &Request{Verb: Info})
	if err != nil || r.Machine.Name != "box" || r.Machine.Memory != 1<<30 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Ask(path, &Request{Verb: "nosuch"}); err == nil || err.Error() != "no such verb: nosuch" {
		t.Error(err)
	}
	c, err := Dial(path, &Request{Verb: Attach})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out, errs bytes.Buffer
	if e, err := c.Stream(&out, &errs); err != nil || e.Code != 3 || out.Len() != MaxFrame+5 || errs.String() != "y" {
		t.Errorf("%+v, %v, %d, %q", e, err, out.Len(), &errs)
	}
	if _, err := Ask(path, &Request{Verb: Wait}); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a socket in use was taken")
	}
	for name, raw := range map[string][]byte{
		"another version": AppendFrame(nil, KindRequest, []byte(`{"Version":99,"Verb":"info"}`)),
		"no request":      AppendFrame(nil, KindRequest, []byte(`[]`)),
		"another frame":   AppendFrame(nil, KindStdin, []byte("x")),
		"no frame":        []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(raw)
		answer, _ := io.ReadAll(nc)
		if nc.Close(); len(answer) > 0 && (Kind(answer[0]) != KindError || len(answer) < 20) {
			t.Errorf("%s: %q", name, answer)
		}
	}
}

// TestStale: a socket that nobody serves is replaced.
func TestStale(t *testing.T) {
	path := serve(t, nil)
	stale := path + "2"
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	s, err := Listen(stale)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestAllowed: the user and root may.
func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		uid   int
		known bool
		ok    bool
	}{{1000, true, true}, {0, true, true}, {1001, true, false}, {1001, false, true}} {
		if err := allowed(tt.uid, tt.known, 1000); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
