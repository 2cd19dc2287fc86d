package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// jobGuest is a running guest whose session waits until it is told to end.
func jobGuest(t testing.TB, change func(*Config)) *guest {
	t.Helper()
	cfg := sessionConfig(t, "686-pae", "read line; exit 3")
	cfg.Deterministic = false
	r, w := io.Pipe()
	cfg.Session.Stdin = r
	cfg.Session.Root = guesttest.Root(t, nil)
	if change != nil {
		change(&cfg)
	}
	g := newGuest(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := g.Run(ctx); err != nil {
			t.Errorf("%v; %s", err, g.describe())
		}
	}()
	t.Cleanup(func() {
		w.Close()
		g.Shutdown()
		<-ended
		cancel()
	})
	return g
}

// TestJobs runs programs beside the session's in one guest, all at once.
func TestJobs(t *testing.T) {
	g := jobGuest(t, func(c *Config) { c.Session.Env = []string{"OF=session"} })
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	for _, tt := range []struct {
		name   string
		p      Process
		stdin  string
		stdout string
		stderr string
		code   int
		merged bool
	}{
		{name: "true", p: Process{Args: []string{"true"}}},
		{name: "streams", p: Process{Args: []string{"sh", "-c", "cat; echo err >&2; exit 7"}}, stdin: "in\n", stdout: "in\n", stderr: "err\n", code: 7},
		{name: "no input", p: Process{Args: []string{"cat"}}},
		{name: "much", p: Process{Args: []string{"cat"}}, stdin: string(big), stdout: string(big)},
		{name: "merged", p: Process{Args: []string{"sh", "-c", "echo a; echo b >&2; echo c"}}, stdout: "a\nb\nc\n", merged: true},
		{name: "environment", p: Process{Args: []string{"sh", "-c", "echo $OF $MORE $HOME; pwd; id -un; hostname"}, Env: []string{"MORE=x y"}, Dir: "/tmp", User: "nobody"},
			stdout: "session x y /\n/tmp\nnobody\nalpine\n"},
		{name: "terminal", p: Process{Args: []string{"sh", "-c", "stty size; echo $TERM; stat -c %U $(tty); test -t 2; exec stty -a | grep -o -w -e -*iutf8"}, TTY: true, Cols: 100, Rows: 30, Term: "xterm", User: "nobody"},
			stdout: "30 100\r\nxterm\r\nnobody\r\niutf8\r\n"},
		{name: "signal", p: Process{Args: []string{"sh", "-c", "kill -USR1 $$"}}, code: 128 + 10},
		{name: "a service stays", p: Process{Args: []string{"sh", "-c", "sleep 1000 & echo started"}}, stdout: "started\n"},
		{name: "what is not there", p: Process{Args: []string{"nosuch"}}, stderr: "alpinevm: exec: \"nosuch\": executable file not found in $PATH\n", code: 127},
		{name: "what cannot be run", p: Process{Args: []string{"/etc/passwd"}}, stderr: "alpinevm: exec: \"/etc/passwd\": permission denied\n", code: 126},
		{name: "no folder", p: Process{Args: []string{"true"}, Dir: "/nosuch"}, stderr: "alpinevm: the working folder \"/nosuch\" cannot be entered\n", code: 125},
		{name: "the session's mounts", p: Process{Args: []string{"sh", "-c", "ls /; grep -c ' / ' /proc/mounts"}}, stdout: "bin\ndev\netc\nhome\nlib\nmedia\nmnt\nopt\nproc\nroot\nrun\nsbin\nsrv\nsys\ntmp\nusr\nvar\n1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr buffer
			tt.p.Stdout, tt.p.Stderr = &stdout, &stderr
			if tt.merged {
				tt.p.Stderr = &stdout
			}
			if tt.stdin != "" {
				tt.p.Stdin = strings.NewReader(tt.stdin)
			}
			j, err := g.Exec(t.Context(), tt.p)
			if err != nil {
				t.Fatal(err)
			}
			code, err := j.Wait()
			if err != nil || code != tt.code || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
				t.Errorf("code %d, %v, stdout %.200q, stderr %q; want %d, %.200q, %q", code, err, stdout.String(), stderr.String(), tt.code, tt.stdout, tt.stderr)
			}
		})
	}
	var field *ConfigError
	if _, err := g.Exec(t.Context(), Process{Args: []string{"true"}, User: "nosuch"}); !errors.As(err, &field) || field.Field != "User" {
		t.Errorf("an unknown user: %v", err)
	}
	if _, err := g.Exec(t.Context(), Process{Args: []string{strings.Repeat("x", 3<<20)}}); err == nil || !strings.Contains(err.Error(), "want 2097152 at most") {
		t.Errorf("long arguments: %v", err)
	}
}

// BenchmarkJob is a program that does nothing, from asking for it to its end; and
// the same by a shell of the guest, which is the guest's own time.
func BenchmarkJob(b *testing.B) {
	g := jobGuest(b, nil)
	run := func(args ...string) uint64 {
		j, err := g.Exec(b.Context(), Process{Args: args})
		if err != nil {
			b.Fatal(err)
		}
		if code, err := j.Wait(); code != 0 || err != nil {
			b.Fatal(code, err)
		}
		count := make(chan uint64)
		g.Kick(func() { count <- g.Instructions() })
		return <-count
	}
	run("true")
	b.Run("exec", func(b *testing.B) {
		first, last := run("true"), uint64(0)
		for b.Loop() {
			last = run("true")
		}
		b.ReportMetric(float64(last-first)/float64(b.N), "instructions/op")
	})
	b.Run("shell", func(b *testing.B) {
		first := run("true")
		last := run("sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", b.N))
		b.ReportMetric(float64(last-first)/float64(b.N), "instructions/op")
	})
}

// TestJobsAtOnce has as many as there can be run at the same time.
func TestJobsAtOnce(t *testing.T) {
	g := jobGuest(t, nil)
	var wait sync.WaitGroup
	var inputs []*io.PipeWriter
	for i := range maxJobs {
		r, w := io.Pipe()
		inputs = append(inputs, w)
		var out buffer
		j, err := g.Exec(t.Context(), Process{Args: []string{"sh", "-c", fmt.Sprintf("read x; echo %d $x; exit %d", i, i)}, Stdin: r, Stdout: &out, TTY: i%4 == 3})
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			code, err := j.Wait()
			got := strings.TrimPrefix(strings.ReplaceAll(out.String(), "\r", ""), "go\n") // a terminal shows what is typed
			if err != nil || code != i || got != fmt.Sprintf("%d go\n", i) {
				t.Errorf("%d: code %d, %v, %q", i, code, err, out.String())
			}
		})
	}
	if _, err := g.Exec(t.Context(), Process{Args: []string{"true"}}); err == nil || !strings.Contains(err.Error(), "as many as there can be") {
		t.Errorf("one too many: %v", err)
	}
	for _, w := range inputs {
		w.Write([]byte("go\n"))
	}
	wait.Wait()
	if left := len(g.session.jobs.list); left != 0 {
		t.Errorf("%d jobs are left", left)
	}
}

// TestJobShort: a program that has ended by the time that its start is seen has
// run all the same.
func TestJobShort(t *testing.T) {
	for range 100 {
		j := &Job{begun: make(chan struct{}), done: make(chan struct{})}
		close(j.begun)
		close(j.done)
		if got, err := j.taken(t.Context()); got != j || err != nil {
			t.Fatalf("%v, %v", got, err)
		}
		j = &Job{begun: make(chan struct{}), done: make(chan struct{}), err: ErrEnded}
		close(j.done)
		if got, err := j.taken(t.Context()); got != nil || err != ErrEnded {
			t.Fatalf("%v, %v", got, err)
		}
	}
}

// TestJobSignals sends signals and sizes.
func TestJobSignals(t *testing.T) {
	g := jobGuest(t, nil)
	var out buffer
	j, err := g.Exec(t.Context(), Process{Args: []string{"sh", "-c", "trap 'echo got TERM; exit 9' TERM; echo ready; while :; do sleep 0.1; done"}, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return out.String() == "ready\n" })
	j.Signal(15)
	if code, err := j.Wait(); code != 9 || err != nil || out.String() != "ready\ngot TERM\n" {
		t.Errorf("code %d, %v, %q", code, err, out.String())
	}
	j.Signal(15) // nobody is there

	var shown buffer
	j, err = g.Exec(t.Context(), Process{Args: []string{"sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"}, Stdout: &shown, TTY: true})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return shown.String() == "ready\r\n" })
	j.Resize(132, 50)
	await(t, func() bool { return strings.HasSuffix(shown.String(), "50 132\r\n") })
	j.Signal(9)
	if code, err := j.Wait(); code != 137 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

// TestJobSignalGroup: what a program has started in its process group ends with it.
func TestJobSignalGroup(t *testing.T) {
	g := jobGuest(t, nil)
	sleepers := func(seconds string) string {
		var out buffer
		j, err := g.Exec(t.Context(), Process{Args: []string{"sh", "-c", "ps -o args | grep -c '^sleep " + seconds + "'"}, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Wait(); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	for _, tt := range []struct {
		name, seconds string
		end           func(*Job)
		left          string
	}{
		{"alone", "100001", func(j *Job) { j.Signal(9) }, "2"},
		{"group", "100002", func(j *Job) { j.SignalGroup(9) }, "0"},
	} {
		var out buffer
		j, err := g.Exec(t.Context(), Process{Args: []string{"sh", "-c", "sleep $0 & sleep $0 & echo ready; wait", tt.seconds}, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return out.String() == "ready\n" && sleepers(tt.seconds) == "2" })
		tt.end(j)
		if code, err := j.Wait(); code != 137 || err != nil {
			t.Errorf("%s: code %d, %v", tt.name, code, err)
		}
		await(t, func() bool { return sleepers(tt.seconds) == tt.left })
	}
}

// await waits until done says so.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for late := time.Now().Add(liveTime); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("nothing comes")
		}
	}
}

// TestJobRefused: who cannot be served is told why.
func TestJobRefused(t *testing.T) {
	g := jobGuest(t, nil)
	long, err := g.Exec(t.Context(), Process{Args: []string{"sleep", "1000"}})
	if err != nil {
		t.Fatal(err)
	}
	// The guest's own helper is ended by root.
	j, err := g.Exec(t.Context(), Process{Args: []string{"sh", "-c", "kill -9 $(pidof serve)"}})
	if err != nil {
		t.Fatal(err)
	}
	j.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := g.Exec(ctx, Process{Args: []string{"true"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with nobody to take it: %v", err)
	}
	g.Shutdown()
	if code, err := long.Wait(); code != 128+15 && !errors.Is(err, ErrEnded) {
		t.Errorf("a job at the machine's end: %d, %v", code, err)
	}
	if _, err := g.Exec(t.Context(), Process{}); !errors.Is(err, ErrEnded) {
		t.Errorf("behind the end: %v", err)
	}
}
