//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"alpinevm/internal/guesttest"
)

// agent is a client of alpinevm mcp.
type agent struct {
	t       *testing.T
	session *mcp.ClientSession
	cmd     *exec.Cmd
	input   io.Closer     // of the command
	stderr  *bytes.Buffer // to be read at the end
	ended   bool
}

// newAgent starts the command on the tests' guest.
func newAgent(t *testing.T, flags ...string) *agent {
	t.Helper()
	return startAgent(t, nil, append([]string{"--rootfs", guesttest.RootFile(t)}, flags...)...)
}

// startAgent starts the command on the tests' kernel, with more in its environment.
func startAgent(t *testing.T, env []string, flags ...string) *agent {
	t.Helper()
	args := append([]string{"mcp", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"), "-m", "128M"}, flags...)
	a := &agent{t: t, cmd: exec.Command("alpinevm", args...), stderr: &bytes.Buffer{}}
	a.cmd.Env, a.cmd.Stderr = append(os.Environ(), env...), a.stderr
	in, err := a.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe() // Wait does not close it
	if err != nil {
		t.Fatal(err)
	}
	a.input, a.cmd.Stdout = in, w
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		a.end(func() { in.Close() })
		out.Close()
	})
	client := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil)
	if a.session, err = client.Connect(t.Context(), &mcp.IOTransport{Reader: out, Writer: in}, nil); err != nil {
		t.Fatal(err)
	}
	return a
}

// end has the command end in a way, which is to be well and without a word.
func (a *agent) end(how func()) {
	a.t.Helper()
	if a.ended {
		return
	}
	a.ended = true
	how()
	defer time.AfterFunc(patience, func() { a.cmd.Process.Kill() }).Stop()
	if err := a.cmd.Wait(); err != nil || a.stderr.Len() > 0 {
		a.t.Errorf("the server's end: %v, %q", err, a.stderr)
	}
}

// ask calls a tool, and gives its result, or, as wrong, its error.
func (a *agent) ask(ctx context.Context, tool string, in, out any) (wrong string, err error) {
	r, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: in})
	if err != nil {
		return "", err
	}
	if r.IsError {
		wrong = r.Content[0].(*mcp.TextContent).Text
	}
	if out != nil && r.StructuredContent != nil {
		b, err := json.Marshal(r.StructuredContent)
		if err == nil {
			err = json.Unmarshal(b, out)
		}
		return wrong, err
	}
	return wrong, nil
}

// must is ask of what is to work.
func (a *agent) must(tool string, in, out any) {
	a.t.Helper()
	if wrong, err := a.ask(a.t.Context(), tool, in, out); wrong != "" || err != nil {
		a.t.Fatalf("%s %v: %q, %v", tool, in, wrong, err)
	}
}

// refused wants a result that is an error with a part in it, in one line.
func (a *agent) refused(tool string, in any, part string) {
	a.t.Helper()
	wrong, err := a.ask(a.t.Context(), tool, in, nil)
	if err != nil || !strings.Contains(wrong, part) || strings.Contains(wrong, "\n") {
		a.t.Errorf("%s %v: %q, %v; want an error with %q", tool, in, wrong, err, part)
	}
}

type object = map[string]any

// executed is what exec answers.
type executed struct {
	ExitCode  int `json:"exit_code"`
	Signal    int
	Stdout    string
	Stderr    string
	Truncated bool
	TimedOut  bool `json:"timed_out"`
}

// machine makes a machine.
func (a *agent) machine(in object) string {
	a.t.Helper()
	var m struct{ Machine string }
	a.must("make_machine", in, &m)
	return m.Machine
}

// sh runs a script that is to end with 0.
func (a *agent) sh(machine, script string) string {
	a.t.Helper()
	var out executed
	a.must("exec", object{"machine": machine, "script": script}, &out)
	if out.ExitCode != 0 {
		a.t.Errorf("%s: %+v", script, out)
	}
	return out.Stdout
}

// TestMCP does what an agent does, in one machine.
func TestMCP(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	if err := os.WriteFile(filepath.Join(share, "given"), []byte("of the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, "-v", share+":/share:ro", "--machines", "2", "--output", "4K", "--time", "60s")
	tools, err := a.session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 10 {
		t.Fatalf("%d tools, %v", len(tools.Tools), err)
	}
	m := a.machine(object{"memory_mb": 96})
	for _, tt := range []struct {
		name string
		in   object
		want executed
	}{
		{"program", object{"args": []string{"uname", "-m"}}, executed{Stdout: "i686\n"}},
		{"no shell", object{"args": []string{"echo", "$HOME", "a b"}}, executed{Stdout: "$HOME a b\n"}},
		{"script", object{"script": "echo out; echo err >&2; exit 3"}, executed{ExitCode: 3, Stdout: "out\n", Stderr: "err\n"}},
		{"input", object{"args": []string{"tr", "a-z", "A-Z"}, "stdin": "some text\n"}, executed{Stdout: "SOME TEXT\n"}},
		{"no input", object{"args": []string{"cat"}}, executed{}},
		{"environment", object{"script": "echo $A-$B; pwd; id -un", "env": object{"A": "1", "B": "x y"}, "cwd": "/tmp", "user": "nobody"}, executed{Stdout: "1-x y\n/tmp\nnobody\n"}},
		{"signal", object{"script": "kill -9 $$"}, executed{ExitCode: -1, Signal: 9}},
		{"not there", object{"args": []string{"nosuch"}}, executed{ExitCode: 127, Stderr: "alpinevm: exec: \"nosuch\": executable file not found in $PATH\n"}},
		{"no text", object{"args": []string{"printf", `a\377b`}}, executed{Stdout: "a\ufffdb"}},
		{"share", object{"script": "cat /share/given; touch /share/new 2>/dev/null || echo refused"}, executed{Stdout: "of the host\nrefused\n"}},
		{"no network", object{"script": "ls /sys/class/net"}, executed{Stdout: "lo\n"}},
		{"output", object{"script": "head -c 100000 /dev/zero | tr '\\0' x; echo end"}, executed{Truncated: true,
			Stdout: strings.Repeat("x", 2048) + "\n[... 95908 bytes are left out ...]\n" + strings.Repeat("x", 2044) + "end\n"}},
	} {
		tt.in["machine"] = m
		var got executed
		a.must("exec", tt.in, &got)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	a.files(m)
	a.ends(m)
	a.bounds(m)
}

// files writes, reads and lists.
func (a *agent) files(m string) {
	t := a.t
	t.Helper()
	a.must("write_file", object{"machine": m, "path": "/work/deep/run.sh", "content": "#!/bin/sh\necho ran $1\n", "mode": "755"}, nil)
	if got := a.sh(m, "/work/deep/run.sh well"); got != "ran well\n" {
		t.Errorf("what was written does %q", got)
	}
	binary := []byte{0, 0xff, 0xfe, '\n'}
	a.must("write_file", object{"machine": m, "path": "/work/b", "content": base64.StdEncoding.EncodeToString(binary), "encoding": "base64"}, nil)
	type content struct {
		Content, Encoding string
		Size              int64
		Truncated         bool
		Next              int64 `json:"next_offset"`
	}
	a.sh(m, "printf 'ä%.0s' $(seq 3000) > /work/letters")
	for _, tt := range []struct {
		in   object
		want content
	}{
		{object{"path": "/work/b"}, content{Content: base64.StdEncoding.EncodeToString(binary), Encoding: "base64", Size: 4}},
		{object{"path": "/work/deep/../deep/run.sh", "offset": 2, "limit": 7}, content{Content: "/bin/sh", Encoding: "utf-8", Size: 22, Truncated: true, Next: 9}},
		{object{"path": "/work/deep/run.sh", "offset": 1000}, content{Encoding: "utf-8", Size: 22}},
		{object{"path": "/work/letters", "limit": 5}, content{Content: "ää", Encoding: "utf-8", Size: 6000, Truncated: true, Next: 4}},
		{object{"path": "/dev/zero", "limit": 3}, content{Content: "\x00\x00\x00", Encoding: "utf-8", Truncated: true, Next: 3}},
	} {
		tt.in["machine"] = m
		var got content
		a.must("read_file", tt.in, &got)
		if got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.in, got, tt.want)
		}
	}
	a.sh(m, "ln -s b /work/link; mkdir /work/many; cd /work/many; touch $(seq 600)")
	var list struct {
		Entries []struct {
			Name, Type, Mode string
			Size             int64
		}
		Truncated bool
	}
	a.must("list_folder", object{"machine": m, "path": "/work"}, &list)
	var names []string
	for _, e := range list.Entries {
		names = append(names, e.Name+" "+e.Type)
	}
	if got := strings.Join(names, ", "); got != "b file, deep folder, letters file, link link, many folder" || list.Truncated || list.Entries[0].Size != 4 || list.Entries[0].Mode != "-rw-r--r--" {
		t.Errorf("list: %s, %+v", got, list)
	}
	a.must("list_folder", object{"machine": m, "path": "/work/many"}, &list)
	if len(list.Entries) != 500 || !list.Truncated {
		t.Errorf("a long list: %d, %v", len(list.Entries), list.Truncated)
	}
}

// ends has commands end for their time and for want of who asked for them: nothing of
// them goes on.
func (a *agent) ends(m string) {
	t := a.t
	t.Helper()
	for _, seconds := range []float64{1, 4, 16, 60} { // a busy host takes its time to begin
		var out executed
		wrong, err := a.ask(t.Context(), "exec", object{"machine": m, "script": "echo begun; sleep 4321 & wait", "timeout_seconds": seconds}, &out)
		if err != nil || !strings.Contains(wrong, "was ended after") || !out.TimedOut {
			t.Errorf("a command that is too slow: %q, %+v, %v", wrong, out, err)
		}
		if out.Stdout == "begun\n" {
			break
		}
		if seconds == 60 || out.Stdout != "" {
			t.Errorf("what it has said by then: %q", out.Stdout)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waits sync.WaitGroup
	waits.Go(func() {
		if _, err := a.ask(ctx, "exec", object{"machine": m, "script": "touch /begun; sleep 4321 & wait"}, nil); err == nil {
			t.Error("a request that was taken back has an answer")
		}
	})
	for late := time.Now().Add(patience); a.sh(m, "ls / | grep begun || true") == ""; {
		if time.Now().After(late) {
			t.Fatal("the command does not begin")
		}
	}
	cancel()
	waits.Wait()
	for late := time.Now().Add(patience); a.sh(m, "ps -o args | grep -c '^sleep 4321' || true") != "0\n"; {
		if time.Now().After(late) {
			t.Fatal("what was started goes on")
		}
	}
	// Many at once.
	for i := range 10 {
		waits.Go(func() {
			var out executed
			if wrong, err := a.ask(t.Context(), "exec", object{"machine": m, "args": []string{"expr", "1", "+", string(rune('0' + i))}}, &out); wrong != "" || err != nil || len(out.Stdout) < 2 {
				t.Errorf("one of many: %q, %v, %+v", wrong, err, out)
			}
		})
	}
	waits.Wait()
}

// bounds asks for what is refused.
func (a *agent) bounds(m string) {
	a.t.Helper()
	for _, tt := range []struct {
		tool string
		in   any
		part string
	}{
		{"make_machine", object{"image": "alpine"}, "one root file system for all machines"},
		{"make_machine", object{"memory_mb": 129}, "want 64 to 128, the limit of this server"},
		{"make_machine", object{"memory_mb": -1}, "want 64 to 128"},
		{"make_machine", object{"memory_mb": "much"}, "memory_mb"},
		{"make_machine", object{"network": "user"}, "gives no network"},
		{"make_machine", object{"network": "host"}, "want none or user"},
		{"make_machine", object{"shares": []string{"/etc"}}, "this server shares /share"},
		{"make_machine", object{"kernel": "/vmlinuz"}, "kernel"},
		{"exec", object{"machine": m}, "no command"},
		{"exec", object{"machine": m, "args": []string{""}}, "no command"},
		{"exec", object{"machine": m, "args": []string{"a"}, "script": "b"}, "both given"},
		{"exec", object{"machine": m, "script": "true", "timeout_seconds": 61}, "at most 60"},
		{"exec", object{"machine": m, "script": "true", "timeout_seconds": -1}, "want more than 0"},
		{"exec", object{"machine": m, "script": "true", "env": object{"A=B": "c"}}, "no name of a variable"},
		{"exec", object{"machine": m, "script": "true", "user": "nosuch"}, "nosuch"},
		{"exec", object{"machine": "m99", "script": "true"}, `no machine "m99"; there are ` + m},
		{"exec", object{"script": "true"}, "machine"},
		{"exec", []int{1}, "arguments"},
		{"read_file", object{"machine": m, "path": "etc/passwd"}, "want an absolute name"},
		{"read_file", object{"machine": m, "path": ""}, "want an absolute name"},
		{"read_file", object{"machine": m, "path": "/nosuch"}, "/nosuch: "},
		{"read_file", object{"machine": m, "path": "/etc"}, "/etc: "},
		{"read_file", object{"machine": m, "path": "/etc/passwd", "offset": -1}, "want 0 or more"},
		{"read_file", object{"machine": m, "path": "/etc/passwd", "limit": 5000}, "want 1 to 4096"},
		{"write_file", object{"machine": m, "path": "/share/new", "content": ""}, "/share/new: "},
		{"write_file", object{"machine": m, "path": "/etc", "content": ""}, "/etc: "},
		{"write_file", object{"machine": m, "path": "/x", "content": "!", "encoding": "base64"}, "no base64"},
		{"write_file", object{"machine": m, "path": "/x", "content": "", "encoding": "latin1"}, "want utf-8 or base64"},
		{"write_file", object{"machine": m, "path": "/x", "content": "", "mode": "4755"}, "want octal digits"},
		{"write_file", object{"machine": m, "path": "/x", "content": "", "mode": "rwx"}, "want octal digits"},
		{"write_file", object{"machine": m, "path": "/x\x00y", "content": ""}, "want an absolute name"},
		{"list_folder", object{"machine": m, "path": "/etc/passwd"}, "/etc/passwd: "},
		{"restore_snapshot", object{"snapshot": "s1"}, "no snapshot"},
		{"destroy_snapshot", object{"snapshot": "s1"}, "no snapshot"},
		{"destroy_machine", object{"machine": "m99"}, "no machine"},
	} {
		a.refused(tt.tool, tt.in, tt.part)
	}
	if got := a.sh(m, "echo well"); got != "well\n" {
		a.t.Errorf("behind all that it says %q", got)
	}
}

// TestMCPMachines makes, copies and ends machines, up to the limits, and ends the
// server with one.
func TestMCPMachines(t *testing.T) {
	t.Parallel()
	a := newAgent(t, "--machines", "2", "--snapshots", "1", "-m", "96M")
	var list struct {
		Machines []struct {
			Machine, State string
			MemoryMB       int `json:"memory_mb"`
			Network        bool
		}
		Snapshots []struct{ Snapshot, Of string }
	}
	m := a.machine(object{})
	a.sh(m, "echo one > /file; echo $$ > /tmp/x; sleep 1000 &")
	var s struct{ Snapshot string }
	a.must("take_snapshot", object{"machine": m}, &s)
	a.refused("take_snapshot", object{"machine": m}, "as many as this server lets there be")
	a.sh(m, "echo two > /file")
	var other struct{ Machine string }
	a.must("restore_snapshot", object{"snapshot": s.Snapshot}, &other)
	if was, is := a.sh(other.Machine, "cat /file; pidof sleep | wc -w"), a.sh(m, "cat /file"); was != "one\n1\n" || is != "two\n" {
		t.Errorf("the copy has %q, the machine %q", was, is)
	}
	a.refused("make_machine", object{}, "there are 2 machines already")
	a.refused("restore_snapshot", object{"snapshot": s.Snapshot}, "there are 2 machines already")
	a.must("list_machines", object{}, &list)
	if len(list.Machines) != 2 || list.Machines[0].MemoryMB != 96 || list.Machines[0].Network || list.Machines[1].State != "running" || len(list.Snapshots) != 1 || list.Snapshots[0].Of != m {
		t.Errorf("list: %+v", list)
	}
	a.must("destroy_machine", object{"machine": m}, nil)
	a.refused("exec", object{"machine": m, "script": "true"}, "it was destroyed")
	a.must("destroy_snapshot", object{"snapshot": s.Snapshot}, nil)
	if got := a.sh(other.Machine, "cat /file"); got != "one\n" {
		t.Errorf("without its snapshot the copy has %q", got)
	}
	a.must("exec", object{"machine": other.Machine, "script": "poweroff"}, nil)
	a.gone(other.Machine, "power off")
	// The server ends in the midst of a command, and its process with it.
	m = a.machine(object{})
	var waits sync.WaitGroup
	waits.Go(func() {
		if wrong, err := a.ask(t.Context(), "exec", object{"machine": m, "script": "touch /begun; sleep 1000"}, nil); wrong == "" && err == nil {
			t.Error("a command that the server's end has ended has a result")
		}
	})
	for late := time.Now().Add(patience); a.sh(m, "ls / | grep begun || true") == ""; {
		if time.Now().After(late) {
			t.Fatal("the command does not begin")
		}
	}
	a.end(func() { a.input.Close() })
	waits.Wait()
}

// gone waits until a machine is not there any more, for a reason.
func (a *agent) gone(machine, why string) {
	a.t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		wrong, err := a.ask(a.t.Context(), "exec", object{"machine": machine, "script": "sleep 1000"}, nil)
		if strings.Contains(wrong, "is gone: "+why) {
			return
		}
		if err != nil || time.Now().After(late) {
			a.t.Fatalf("%q, %v", wrong, err)
		}
	}
}

// TestMCPSignal: SIGTERM ends the server, whatever its machines do.
func TestMCPSignal(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	m := a.machine(object{})
	a.sh(m, "while :; do :; done >/dev/null 2>&1 &")
	a.end(func() { a.cmd.Process.Signal(syscall.SIGTERM) })
}

// TestMCPImages: a server that is confined pulls the images that it gives, and no
// others.
func TestMCPImages(t *testing.T) {
	t.Parallel()
	host, stop := pushed(t, map[string]v1.Image{"one:1": alpineImage(t, v1.Config{Env: []string{"OF=one"}}), "two:1": alpineImage(t, v1.Config{Env: []string{"OF=two"}})})
	defer stop()
	a := startAgent(t, []string{"XDG_CACHE_HOME=" + t.TempDir()}, "--image", host+"/one:1", "--image", host+"/two:1")
	for image, want := range map[string]string{"": "one\n", host + "/two:1": "two\n"} {
		in := object{}
		if image != "" {
			in["image"] = image
		}
		if got := a.sh(a.machine(in), "echo $OF"); got != want {
			t.Errorf("image %q: %q", image, got)
		}
	}
	a.refused("make_machine", object{"image": host + "/three:1"}, "and no other")
}

// TestMCPLife: a machine ends when it has lived long enough.
func TestMCPLife(t *testing.T) {
	t.Parallel()
	a := newAgent(t, "--life", "1ms")
	a.gone(a.machine(object{}), "it had lived as long as")
}

// TestMCPNetwork: a machine reaches what --allow names and nothing else.
func TestMCPNetwork(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "flows.json")
	a := newAgent(t, "--allow", "allowed.invalid:443", "--net-log", log)
	m := a.machine(object{})
	var out executed
	a.must("exec", object{"machine": m, "script": "ip -4 addr show eth0 | grep -o 10.0.2.15; nc -w 5 192.0.2.1 80 </dev/null; echo $?"}, &out)
	if out.Stdout != "10.0.2.15\n1\n" {
		t.Errorf("%+v", out)
	}
	none := a.machine(object{"network": "none"})
	if got := a.sh(none, "ls /sys/class/net"); got != "lo\n" {
		t.Errorf("a machine that wants no network has %q", got)
	}
	a.end(func() { a.input.Close() })
	if b, err := os.ReadFile(log); err != nil || !bytes.Contains(b, []byte("192.0.2.1")) {
		t.Errorf("the log has %q, %v", b, err)
	}
}
