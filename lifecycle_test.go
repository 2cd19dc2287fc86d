package alpinevm

import (
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// TestShutdown asks guests to end before they have started: they do once they
// can.
func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		init bool
		ends []End
	}{
		{"session", false, []End{{Cause: PowerOff}, {Cause: Exited, Code: 128 + 15}}},
		{"the image's init", true, []End{{Cause: PowerOff}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := sessionConfig(t, "686", "sleep 1000")
			if cfg.Session.Init = tt.init; tt.init {
				cfg.Session.Args = nil
			}
			g := newGuest(t, cfg)
			g.Shutdown()
			if end := g.run(); !slices.Contains(tt.ends, end) {
				t.Errorf("ended by %s with %d; %s", end.Cause, end.Code, end.Detail)
			}
			if log := g.serial.String(); tt.init && !strings.Contains(log, "Requesting system poweroff") {
				t.Errorf("the image's init did not end the machine: %s", log)
			}
		})
	}
}

// TestEnds has guests end in each of the ways in which Linux does.
func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		config       func(*Config)
		end          End
		output       string
		detail       []string // what the end tells
	}{
		{
			name: "power off, little memory", script: "awk '/MemTotal/ { print ($2 > 40000) }' /proc/meminfo; poweroff; sleep 1000",
			config: func(c *Config) { c.Memory = MinMemory }, end: End{Cause: PowerOff}, output: "1\n",
		},
		{
			// What is written before a reboot is there after it, and standard output goes on.
			name: "reboot", script: "[ ! -e /root/again ] || { echo second; exit 9; }; touch /root/again; echo first; reboot; sleep 1000",
			end: End{Cause: Exited, Code: 9}, output: "first\nsecond\n",
		},
		{
			name: "halt, much memory", script: "awk '/MemTotal/ { print ($2 > 3000000) }' /proc/meminfo; halt -f",
			config: func(c *Config) { c.Memory = MaxMemory }, end: End{Cause: PowerOff}, output: "1\n",
		},
		{
			name: "panic with escapes", script: `printf '\033]0;title\007\233\r\n' >/dev/ttyS0; echo c >/proc/sysrq-trigger`, end: End{Cause: Panic},
			detail: []string{`\x1b]0;title\a\x9b` + "\n", "Kernel panic"},
		},
		{
			name: "panic", script: "echo out; echo c >/proc/sysrq-trigger", end: End{Cause: Panic}, output: "out\n",
			detail: []string{"Kernel panic - not syncing: sysrq triggered crash", "Call Trace", "EIP", "CR3", "instructions"},
		},
		{
			name: "init killed", script: "kill -SEGV 1; kill -KILL 1; kill -9 $$", end: End{Cause: Exited, Code: 128 + 9},
		},
		{
			name: "no such program", config: func(c *Config) { c.Session.Args = []string{"/no/such/program"} },
			end: End{Cause: Exited, Code: 127},
		},
		{
			name: "no root", config: func(c *Config) { c.Session, c.Boot.Initrd = nil, []byte("none") },
			end: End{Cause: Panic}, detail: []string{"Unable to mount root fs"},
		},
		{
			name: "panic without reset", script: "exec 2>/dev/null; echo c >/proc/sysrq-trigger", config: func(c *Config) { c.Boot.Append = "panic=0" },
			end: End{Cause: Panic}, detail: []string{"Kernel panic - not syncing: sysrq triggered crash"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := sessionConfig(t, "686", tt.script)
			if tt.config != nil {
				tt.config(&cfg)
			}
			g := newGuest(t, cfg)
			end := g.run()
			g.want(end, tt.end.Cause, tt.end.Code)
			if out := g.stdout.String(); out != tt.output {
				t.Errorf("output %q, want %q", out, tt.output)
			}
			for _, want := range tt.detail {
				if !strings.Contains(end.Detail, want) {
					t.Errorf("the end does not tell of %q: %s", want, end.Detail)
				}
			}
			if s, _ := g.Step(); s != Ended {
				t.Errorf("a step of an ended machine gives %d", s)
			}
		})
	}
}

// TestEntered: the host is told when the program has begun, or why it cannot.
func TestEntered(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		config func(*Session)
		told   []string
	}{
		{name: "begins", args: []string{"/bin/false"}, told: []string{""}},
		{name: "missing", args: []string{"no\x1bsuch"}, told: []string{"alpinevm: exec: \"no\\x1bsuch\": executable file not found in $PATH"}},
		{name: "no program", args: []string{"/etc/passwd"}, told: []string{"alpinevm: exec: \"/etc/passwd\": permission denied"}},
		{name: "long", args: []string{"/" + strings.Repeat("a", 20<<10)}, told: []string{"alpinevm: exec: \"/" + strings.Repeat("a", maxRefusal-len("alpinevm: exec: \"/"))}},
		{name: "twice", args: []string{"sh", "-c", "[ ! -e /root/again ] || exit 0; touch /root/again; reboot; sleep 1000"}, told: []string{"", ""}},
		{name: "none", args: []string{"true"}, config: func(s *Session) { s.Idle = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := sessionConfig(t, "686", "")
			cfg.Session.Args = tt.args
			if tt.config != nil {
				tt.config(cfg.Session)
			}
			var told []string
			cfg.Session.Entered = func(refusal string) { told = append(told, refusal) }
			g := newGuest(t, cfg)
			if cfg.Session.Idle {
				g.stepUntil(runBudget, func() bool { return g.session.up })
				g.Shutdown()
			}
			g.run()
			if !slices.Equal(told, tt.told) {
				t.Errorf("told %q, want %q", told, tt.told)
			}
		})
	}
}

// stopper is an init that stops every process before it ends them, as systemd
// and sysvinit do, and waits until they are gone.
const stopper = `#!/bin/sh
export PATH=/bin:/sbin
sleep 1 # by now the guest's wait for the host has begun
kill -STOP -1
kill -TERM -1
kill -CONT -1
tenths=0
while [ $tenths -lt 300 ]; do
	left=
	for p in /proc/[0-9]*; do
		[ $p = /proc/1 ] || ! [ -e $p/exe ] || left="$left $(cat $p/comm)"
	done
	[ -n "$left" ] || break
	tenths=$((tenths + 1))
	sleep 0.1
done
echo "gone after $tenths tenths of a second, but for:$left" >/dev/ttyS0
poweroff -f
`

// TestStoppingInit: nothing of ours keeps such an init waiting, with either kernel.
func TestStoppingInit(t *testing.T) {
	for _, flavour := range []string{"686", "686-pae"} {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			cfg := sessionConfig(t, flavour, "")
			root := cfg.Session.Root.(*memfs.FS)
			if err := root.Add("sbin/init", memfs.Entry{Mode: fs9p.ModeRegular | 0o755, Data: strings.NewReader(stopper)}); err != nil {
				t.Fatal(err)
			}
			cfg.Session.Init, cfg.Session.Args, cfg.Deterministic = true, nil, false
			g := newGuest(t, cfg)
			if end := g.run(); end.Cause != PowerOff {
				t.Errorf("ended by %s with %d; %s", end.Cause, end.Code, end.Detail)
			}
			said := g.serial.String()
			_, after, _ := strings.Cut(said, "gone after ")
			after, _, _ = strings.Cut(strings.ReplaceAll(after, "\r", ""), "\n")
			if !strings.HasSuffix(after, "but for:") {
				t.Errorf("the init was kept waiting: %s", said)
			}
			t.Log("gone after", after)
		})
	}
}
