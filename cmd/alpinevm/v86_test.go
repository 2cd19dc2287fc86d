//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/guesttest"
)

var (
	besideV86     = flag.String("v86", "", "have TestBesideV86 measure the page's program beside v86: the `VERSION` of its npm package, or the folder of that")
	v86Dir        = flag.String("v86dir", "", "have TestBesideV86 keep in a `FOLDER` what it makes and its rows, and measure those that are not there")
	v86Only       = flag.String("v86only", "", "have TestBesideV86 measure these `ROWS`, with commas between")
	v86RowTime    = flag.Duration("v86time", 2*time.Hour, "how long a row of TestBesideV86 may take")
	v86NodeOption = flag.String("v86node", "", "options of Node, such as --cpu-prof, with spaces between")
)

// v86Command is what is measured in a guest that has booted. One guest runs those of a
// group.
type v86Command struct {
	Row   string  `json:"row"`
	Warm  string  `json:"warm,omitempty"` // run before
	Run   string  `json:"run"`
	Group int     `json:"-"`
	Unit  string  `json:"-"`
	N     float64 `json:"-"` // seconds are divided by it, and are then Units
}

var v86Commands = []v86Command{
	{Row: "loop", Warm: "loop less", Run: "loop", Unit: "ns an instruction", N: 1e-9 * float64(measured()["loop"].instructions())},
	{Row: "flat", Warm: "flat less", Run: "flat", Unit: "ns an instruction", N: 1e-9 * float64(measured()["flat"].instructions())},
	{Row: "process", Warm: starts(100), Run: starts(1000), Unit: "ms a start", N: 1},
	{Row: "go build", Group: 1, Unit: "s", N: 1, Warm: "mount -t tmpfs -o size=90% tmpfs /tmp", Run: "cd /root/hello && HOME=/tmp GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local GOTELEMETRY=off CGO_ENABLED=0 /usr/local/go/bin/go build -o /tmp/hello . && /tmp/hello"},
}

// starts is a command that starts so many programs.
func starts(n int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/busybox true; i=$((i+1)); done", n)
}

// v86Row is what was measured.
type v86Row struct {
	Row          string  `json:"row"`
	Machine      string  `json:"machine"`
	CPU          float64 `json:"cpu"`  // seconds of all of Node's threads
	Wall         float64 `json:"wall"` // seconds
	Instructions float64 `json:"instructions"`
	When         string  `json:"when"`
	Load         string  `json:"load"` // of the host, over a minute, at the end
}

// TestBesideV86 measures our page's program beside v86, both under Node, with the same
// kernel and the same root file system. It is for people to read.
func TestBesideV86(t *testing.T) {
	if *besideV86 == "" {
		t.Skip("not here: it measures, with -v86 VERSION")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		lacks(t, "node")
	}
	v86Package(t, *besideV86) // what is none is said before anything is measured
	b := &beside{node: node, dir: *v86Dir}
	if b.dir == "" {
		b.dir = t.TempDir()
	} else if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.read(t)
	for group := range 2 {
		for _, machine := range []string{"ours", "v86"} {
			t.Run(fmt.Sprintf("%s/%d", machine, group), func(t *testing.T) { b.run(t, machine, group) })
		}
	}
	fmt.Print(b.table())
}

// beside is a comparison that is under way.
type beside struct {
	node string
	dir  string // where everything is
	rows []v86Row
	made map[string]map[string]any // what the script gets for each machine, whose files are made
}

// at is a file of the comparison's.
func (b *beside) at(name string) string { return filepath.Join(b.dir, name) }

// rowsFile has a line for each row.
const rowsFile = "rows.json"

// read gets the rows that are there.
func (b *beside) read(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(b.at(rowsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var r v86Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v; remove the line %q", b.at(rowsFile), err, line)
		}
		b.rows = append(b.rows, r)
	}
}

// add keeps a row.
func (b *beside) add(t *testing.T, r v86Row) {
	t.Helper()
	t.Logf("%+v", r)
	b.rows = append(b.rows, r)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(b.at(rowsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// find is the row that was measured last; nil: none was.
func (b *beside) find(row, machine string) *v86Row {
	for _, r := range slices.Backward(b.rows) {
		if r.Row == row && r.Machine == machine {
			return &r
		}
	}
	return nil
}

// wanted tells whether a row is to be measured.
func (b *beside) wanted(row, machine string) bool {
	return b.find(row, machine) == nil && (*v86Only == "" || slices.Contains(strings.Split(*v86Only, ","), row))
}

// prepare makes what the machines get, as far as it is not there.
func (b *beside) prepare(t *testing.T) {
	t.Helper()
	if b.made != nil {
		return
	}
	once := func(name string, do func(to string)) {
		if _, err := os.Stat(b.at(name)); err == nil {
			return
		}
		part := b.at(name + ".part")
		err := os.RemoveAll(part)
		if err == nil {
			do(part)
			err = os.Rename(part, b.at(name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	once("root.tar", func(to string) { v86Root(t, to) })
	once("site", func(to string) {
		h := home{t: t, dir: t.TempDir()}
		build := h.command("web", "build", "--cold", "-o", to, "-q", "-m", "1G", "-e", "PS1="+v86Prompt, "--kernel", guesttest.File(t, "686-pae/vmlinuz"),
			"--modules", guesttest.File(t, "686-pae/modules"), "--rootfs", b.at("root.tar"))
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("web build: %v: %s", err, text)
		}
	})
	once("v86", func(to string) { v86Folder(t, b.at("root.tar"), to) })
	if err := errors.Join(os.WriteFile(b.at("initrd"), v86Initrd(t), 0o644), os.WriteFile(b.at("alpinevm.wasm"), webProgram(t), 0o644)); err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	b.made = map[string]map[string]any{
		"ours": {"site": b.at("site"), "program": b.at("alpinevm.wasm"), "bridge": filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")},
		"v86": {
			"package": v86Package(t, *besideV86), "memory": 1 << 30, "root": b.at("v86"), "initrd": b.at("initrd"), "cmdline": alpinevm.DefaultCmdline,
			"kernel": guesttest.File(t, "686-pae/vmlinuz"), "bios": guesttest.File(t, "seabios/bios.bin"),
		},
	}
}

// said is a line of the script's.
type said struct {
	Row          string `json:"row"`
	Begin, End   bool
	Status       int
	Output       string
	Instructions *float64
}

// run measures the rows of a group that are missing in one guest.
func (b *beside) run(t *testing.T, machine string, group int) {
	commands := slices.Clone(v86Commands)
	commands = slices.DeleteFunc(commands, func(c v86Command) bool { return c.Group != group || !b.wanted(c.Row, machine) })
	boot := group == 0 && b.wanted("boot", machine)
	if len(commands) == 0 && !boot {
		return
	}
	b.prepare(t)
	config := maps.Clone(b.made[machine])
	config["machine"], config["prompt"], config["commands"] = machine, v86Prompt, commands
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := b.at("config.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(b.node, slices.Concat(strings.Fields(*v86NodeOption), []string{"testdata/v86.mjs", file})...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	left := len(commands) + 1
	var r v86Row
	var last []string // that the guest has said
	var began time.Time
	var before map[int]process
	late := time.AfterFunc(*v86RowTime, func() { c.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("the script says %q: %v", lines.Text(), err)
		}
		switch {
		case s.Begin:
			late.Reset(*v86RowTime)
			if r, began = (v86Row{Row: s.Row, Machine: machine}), time.Now(); s.Row != "boot" { // which Node's start belongs to
				before = started(t)
			}
		case s.End:
			if s.Status != 0 {
				t.Fatalf("%s: exit status %d: %s", s.Row, s.Status, s.Output)
			}
			r.CPU, r.Wall = spent(t, before).Seconds(), time.Since(began).Seconds()
		case s.Instructions != nil:
			left--
			r.Instructions, r.When, r.Load = *s.Instructions, time.Now().UTC().Format(time.DateTime), load()
			if s.Row != "boot" || boot {
				b.add(t, r)
			}
		default:
			last = append(last, s.Output)
			last = last[max(len(last)-20, 0):]
		}
	}
	if left > 0 {
		t.Errorf("%s has ended, or was ended after %v, in the row %q; the guest has said last %q", machine, *v86RowTime, r.Row, last)
	}
}

// load is the host's, over a minute.
func load() string {
	data, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

// table are the rows for SPECIFICATION.md.
func (b *beside) table() string {
	var s strings.Builder
	s.WriteString("\n| | ours | v86 | ours to v86 |\n|---|---|---|---|\n")
	for _, c := range append([]v86Command{{Row: "boot", Unit: "s", N: 1}}, v86Commands...) {
		cells := map[string]string{}
		cpu := map[string]float64{}
		for _, machine := range []string{"ours", "v86"} {
			cells[machine] = "not measured"
			if r := b.find(c.Row, machine); r != nil {
				cpu[machine] = r.CPU
				cells[machine] = fmt.Sprintf("%.3g %s; %.3g instructions; load %s", r.CPU/c.N, c.Unit, r.Instructions, r.Load)
			}
		}
		ratio := ""
		if len(cpu) == 2 {
			ratio = fmt.Sprintf("%.2f", cpu["ours"]/cpu["v86"])
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", c.Row, cells["ours"], cells["v86"], ratio)
	}
	return s.String()
}
