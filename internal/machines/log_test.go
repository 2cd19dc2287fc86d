package machines

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLog keeps what was printed, by stream, in order, and bounded.
func TestLog(t *testing.T) {
	base := filepath.Join(t.TempDir(), "log")
	if _, err := ReadLog(base).Next(); err != ErrNoLog {
		t.Error(err)
	}
	l, err := CreateLog(base)
	if err != nil {
		t.Fatal(err)
	}
	l.room = 2000
	clock := time.Unix(0, 0)
	l.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	out, errs := l.Stream("stdout"), l.Stream("stderr")
	r := ReadLog(base)
	next := func() string {
		t.Helper()
		list, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, l := range list {
			fmt.Fprintf(&b, "%s %q,", l.Stream[3:], l.Log)
		}
		return b.String()
	}
	fmt.Fprint(out, "one\ntw")
	fmt.Fprint(errs, "err\n")
	if got, want := next(), `out "one\n",err "err\n",`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	fmt.Fprint(out, "o\n"+strings.Repeat("x", maxLogLine+1))
	if got := next(); !strings.HasPrefix(got, `out "two\n",out "xxx`) || strings.Contains(got, `,out "x",`) {
		t.Errorf("%.80s", got)
	}
	for i := range 1000 {
		fmt.Fprintf(out, "line %d\n", i)
	}
	l.Close()
	list, err := ReadLog(base).Next()
	if err != nil || len(list) < 20 || len(list) > 60 || list[len(list)-1].Log != "line 999\n" {
		t.Errorf("%d lines, %v", len(list), err)
	}
	for i := range list {
		if want := fmt.Sprintf("line %d\n", 1000-len(list)+i); list[i].Log != want {
			t.Errorf("line %d is %q", i, list[i].Log)
		}
	}
}

// TestConsole has watchers of all speeds.
func TestConsole(t *testing.T) {
	c := NewConsole()
	out := c.Output("stdout")
	early, slow := c.Watch(), c.Watch()
	out.Write([]byte("a"))
	late := c.Watch()
	c.Output("stderr").Write([]byte("b"))
	left := c.Watch()
	c.Leave(left)
	read := func(w *Watcher) string {
		s := ""
		for {
			stream, p, err := w.Next()
			if err != nil {
				return s + err.Error()
			}
			if s += stream + " " + string(p) + ","; stream == "stderr" {
				return s
			}
		}
	}
	if got := read(early) + read(late) + read(left); got != "stdout a,stderr b,stderr b,EOF" {
		t.Error(got)
	}
	for range 5 {
		out.Write(make([]byte, 1<<20))
		early.Next()
	}
	if got := read(slow); got != ErrSlow.Error() {
		t.Error(got)
	}
	go c.Type([]byte("typed"))
	p := make([]byte, 10)
	if n, err := c.Input().Read(p); string(p[:n]) != "typed" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
	c.End()
	if got := read(early) + read(c.Watch()); got != "EOFEOF" {
		t.Error(got)
	}
	if c.Type([]byte("x")) == nil {
		t.Error("typed to what has ended")
	}
}

// TestNames makes names that are names.
func TestNames(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	had := map[string]bool{}
	for range 100 {
		n := NewName()
		if !machineName().MatchString(n) {
			t.Errorf("%q", n)
		}
		had[n] = true
	}
	if len(had) < 50 {
		t.Errorf("%d names of 100 are different", len(had))
	}
}
