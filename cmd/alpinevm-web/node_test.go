//go:build !js

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/archive"
	"alpinevm/internal/chunked"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/website"
)

// site makes the files of a machine of Alpine's root.
func site(t *testing.T, args ...string) string {
	t.Helper()
	root := memfs.New(memfs.Config{})
	file, err := os.Open(guesttest.RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := root.LoadTar(file); err != nil {
		t.Fatal(err)
	}
	modules, err := hostfs.New(guesttest.File(t, "686-pae/modules"))
	if err != nil {
		t.Fatal(err)
	}
	defer modules.Close()
	vmlinuz, err := os.ReadFile(guesttest.File(t, "686-pae/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	dir := website.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	cfg := &alpinevm.Config{
		Memory: 128 << 20, Hostname: "tab", Boot: alpinevm.Boot{Kernel: vmlinuz, Modules: modules},
		Session: &alpinevm.Session{Root: root, Args: args},
	}
	m, err := website.Describe(context.Background(), cfg, guesttest.Cache(t), dir, func(ctx context.Context, w io.Writer, tree fs9p.FS) error {
		return (&archive.Tree{FS: tree}).Pack(ctx, w, "", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Describe(m); err != nil {
		t.Fatal(err)
	}
	return string(dir)
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "alpinevm.wasm")
	c := exec.Command("go", "build", "-trimpath", "-tags=web", "-ldflags=-s -w", "-o", out, ".")
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// patience is how long the program may take for all of a test.
const patience = 5 * time.Minute

// message is one of the program's.
type message map[string]any

func (m message) data() string {
	b, _ := m["data"].(map[string]any)
	data, _ := base64.StdEncoding.DecodeString(b["base64"].(string))
	return string(data)
}

// tab is the program under Node.
type tab struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Scanner
	seen []message
	said string // what the terminal has shown behind the last text that was waited for
}

// goroot is where the go command has what comes with it.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// nodeProgram is Node.
func nodeProgram(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("ALPINEVM_OFFLINE") == "1" {
			t.Skip("not here: there is no node, and ALPINEVM_OFFLINE=1 forbids to fetch it")
		}
		t.Fatal("there is no node: scripts/tools.sh installs it")
	}
	return node
}

func start(t *testing.T, wasm, dir, options string) *tab {
	t.Helper()
	node := nodeProgram(t)
	c := exec.Command(node, "testdata/node.mjs", filepath.Join(goroot(t), "lib", "wasm", "wasm_exec.js"), wasm, dir)
	c.Env = append(os.Environ(), "ALPINEVM_OPTIONS="+options)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Process.Kill()
		c.Wait()
	})
	late := time.AfterFunc(patience, func() { c.Process.Kill() })
	t.Cleanup(func() { late.Stop() })
	s := bufio.NewScanner(out)
	s.Buffer(nil, 64<<20)
	return &tab{t: t, in: in, out: s}
}

func (n *tab) send(m message) {
	n.t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.in.Write(append(data, '\n')); err != nil {
		n.t.Fatal(err)
	}
}

// until reads messages to the first that is wanted.
func (n *tab) until(want func(message) bool) message {
	n.t.Helper()
	for n.out.Scan() {
		var m message
		if err := json.Unmarshal(n.out.Bytes(), &m); err != nil {
			n.t.Fatal(err)
		}
		if m["type"] == "error" {
			n.t.Fatal(m["text"])
		}
		if m["type"] == "output" {
			n.said += m.data()
		}
		if n.seen = append(n.seen, m); want(m) {
			return m
		}
	}
	n.t.Fatalf("the program has ended, or was ended after %v; it has said last %v", patience, n.seen[max(len(n.seen)-20, 0):])
	return nil
}

func ofType(kind string) func(message) bool { return func(m message) bool { return m["type"] == kind } }

// text waits until the terminal has shown a text behind the last one.
func (n *tab) text(want string) {
	n.t.Helper()
	for !strings.Contains(n.said, want) {
		n.until(ofType("output"))
	}
	_, n.said, _ = strings.Cut(n.said, want)
}

// result is the result of a call.
func (n *tab) result(id int) message {
	n.t.Helper()
	return n.until(func(m message) bool { return m["type"] == "result" && m["id"] == float64(id) })
}

func encoded(s string) map[string]any {
	return map[string]any{"base64": base64.StdEncoding.EncodeToString([]byte(s))}
}

// TestNode boots a guest under Node, on each engine, types at its shell, runs programs
// in it and reads and writes its files; timers of the page run while the guest
// computes.
func TestNode(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	program, dir := build(t), site(t)
	indexed(t, website.Dir(dir))
	for _, engine := range []string{"translator", "interpreter"} {
		t.Run(engine, func(t *testing.T) {
			session(t, start(t, program, dir, `{"terminal":{"cols":80,"rows":24},"engine":"`+engine+`"}`))
		})
	}
}

// indexed says that a machine's files hold the index of its kernel's modules, which the
// folder that it was made of lacks: to make it, a tab would get all of them.
func indexed(t *testing.T, dir website.Dir) {
	t.Helper()
	text, err := os.ReadFile(dir.Name("machine.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := website.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chunked.NewCache(dir.Chunk, 4)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := m.Open(website.Opening{Chunks: c})
	if err != nil {
		t.Fatal(err)
	}
	deps, err := fs.ReadFile(fs9p.IOFS(cfg.Boot.Modules), "modules.dep")
	if err != nil || !strings.Contains(string(deps), "9p.ko: ") {
		t.Errorf("modules.dep is %.200q, %v", deps, err)
	}
}

// session is what TestNode does with a guest.
func session(t *testing.T, n *tab) {
	n.text("# ")
	n.send(message{"type": "exec", "id": 1, "args": []string{"sh", "-c", "cat; echo err >&2; exit 7"}, "stdin": true})
	n.send(message{"type": "stdin", "id": 1, "data": encoded("through")})
	n.send(message{"type": "stdin", "id": 1})
	var out, errs string
	got := n.until(func(m message) bool {
		switch m["type"] {
		case "stdout":
			out += m.data()
		case "stderr":
			errs += m.data()
		}
		return m["type"] == "result"
	})
	if out != "through" || errs != "err\n" || got["value"] != 7.0 {
		t.Errorf("%q, %q, %v", out, errs, got)
	}
	n.send(message{"type": "writeFile", "id": 2, "name": "/root/a b", "data": encoded("text")})
	if m := n.result(2); m["error"] != nil {
		t.Error(m)
	}
	n.send(message{"type": "readFile", "id": 3, "name": "/root/a b"})
	if m := n.result(3); m["error"] != nil || message(map[string]any{"data": m["value"]}).data() != "text" {
		t.Error(m)
	}
	n.send(message{"type": "readFile", "id": 4, "name": "/none"})
	if m := n.result(4); m["error"] == nil {
		t.Error(m)
	}
	n.send(message{"type": "ticks"})
	before := n.until(ofType("ticks"))["n"].(float64)
	n.send(message{"type": "input", "data": encoded("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo do''ne; uname -nm\n")})
	n.text("\ndone\r\n")
	n.send(message{"type": "ticks"})
	if after := n.until(ofType("ticks"))["n"].(float64); after < before+3 {
		t.Errorf("the page's timer ran %v times while the guest computed", after-before)
	}
	n.text("tab i686")
	n.send(message{"type": "input", "data": encoded("poweroff\n")})
	if m := n.until(ofType("exit")); m["cause"] == "" {
		t.Error(m)
	}
	t.Log(n.until(ofType("end")))
}
