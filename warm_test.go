package alpinevm

import (
	"bytes"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

// shelf keeps booted kernels in memory.
type shelf struct {
	t               *testing.T
	kept            map[string][]byte
	damaged         bool // what is loaded is
	stored, dropped int
}

func (s *shelf) Load(key string) *Snapshot {
	b := s.kept[key]
	if b == nil {
		return nil
	}
	snap, err := OpenSnapshot(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.damaged {
		snap.sections = snap.sections[1:]
	}
	return snap
}

func (s *shelf) Drop(string) { s.dropped++ }

func (s *shelf) Store(key string, snap *Snapshot) {
	var b bytes.Buffer
	if err := snap.Write(&b); err != nil {
		s.t.Error(err)
	}
	snap.Close()
	s.kept[key] = b.Bytes()
	s.stored++
}

// sights is a script that shows what a guest sees, but for what each run has of its
// own: times, and who came first.
const sights = `part() { echo "== $1"; }
part uname; uname -srm; part cmdline; cat /proc/cmdline; part cpu; grep -v MHz /proc/cpuinfo | grep -v bogomips
part id; id; hostname; pwd; env | sort; part mounts; cat /proc/mounts; part modules; cut -d' ' -f1,2,4 /proc/modules
part devices; ls /dev /sys/bus/*/devices /sys/class; part interrupts; cut -c1-4,15- /proc/interrupts | cut -d: -f2 | grep -o '[a-zA-Z].*'
part processes; for p in /proc/[0-9]*; do read name <$p/comm && echo $name; done >/run/list 2>/dev/null; grep -v kworker /run/list | sort | uniq -c
part memory; grep -E 'MemTotal|SwapTotal|Hugepagesize' /proc/meminfo
part files; for f in /proc/1/fd/* /proc/self/fd/*; do readlink $f; done | grep -o '^[a-z/]*' | sort -u; part ip; ifconfig -a | grep -v packets | grep -v bytes
part limits; cat /proc/self/limits; part sysctl; cat /proc/sys/vm/dirty_bytes /proc/sys/kernel/hostname /proc/sys/kernel/random/poolsize
part log; dmesg | sed 's/^\[[^]]*\] *//'
part end; exit 7`

// volatile are addresses and other numbers that differ from one boot to the next.
var volatile = regexp.MustCompile(`[0-9a-f]{8,}`)

// TestWarmKind: guests that differ in anything of a kind have another key.
func TestWarmKind(t *testing.T) {
	base := kind{Devices: []string{"a"}}
	keys := map[string]string{base.key(): "none"}
	v := reflect.ValueOf(&base).Elem()
	for i := range v.NumField() {
		name, changed := v.Type().Field(i).Name, base
		switch f := reflect.ValueOf(&changed).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Int, reflect.Int64:
			f.SetInt(7)
		case reflect.Array:
			f.Index(0).SetUint(7)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"a", "b"}))
		default:
			t.Fatalf("%s is a %s", name, f.Kind())
		}
		if other, had := keys[changed.key()]; had {
			t.Errorf("%s and %s give one key", name, other)
		}
		keys[changed.key()] = name
	}
}

// TestWarmKey: what has a guest boot otherwise gives it another kept kernel; what is
// only its session's does not.
func TestWarmKey(t *testing.T) {
	base := guestConfig(t, "686-pae", "true")
	base.Deterministic, base.Boot.Modules = false, guesttest.Modules(t, "686-pae", "virtio_net")
	key := func(change func(c *Config)) string {
		cfg, session := base, *base.Session
		cfg.Session = &session
		change(&cfg)
		m, err := assemble(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.image.Initrd, err = m.session.plan().Archive(); err != nil {
			t.Fatal(err)
		}
		return m.kind().key()
	}
	keys := map[string]string{key(func(*Config) {}): "none"}
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		same   bool
	}{
		{"program", func(c *Config) { c.Session.Args = []string{"false"} }, true},
		{"environment", func(c *Config) { c.Session.Env = []string{"A=b"} }, true},
		{"user and folder", func(c *Config) { c.Session.User, c.Session.Dir = "1:1", "/tmp" }, true},
		{"host's name", func(c *Config) { c.Hostname = "other" }, true},
		{"read-only root", func(c *Config) { c.Session.ReadOnly = true }, true},
		{"no program", func(c *Config) { c.Session.Args, c.Session.Idle = nil, true }, true},
		{"its own init", func(c *Config) { c.Session.Args, c.Session.Init = nil, true }, true},
		{"engine", func(c *Config) { c.Engine = EngineInterpreter }, true},
		{"memory", func(c *Config) { c.Memory += 1 << 20 }, false},
		{"command line", func(c *Config) { c.Boot.Cmdline = "quiet" }, false},
		{"more of it", func(c *Config) { c.Boot.Append = "nosmap" }, false},
		{"kernel", func(c *Config) { c.Boot.Kernel = append(slices.Clone(c.Boot.Kernel), 0) }, false},
		{"flavour", func(c *Config) {
			c.Boot.Kernel, c.Boot.Modules = guesttest.Kernel(t, "686"), guesttest.Modules(t, "686")
		}, false},
		{"terminal", func(c *Config) { c.Consoles.Terminal = &Terminal{Out: io.Discard} }, false},
		{"network", func(c *Config) { c.Network = &Network{} }, false},
		{"its address", func(c *Config) { c.Network = &Network{MAC: [6]byte{2, 0, 0, 0, 0, 9}} }, false},
		{"volume", func(c *Config) {
			c.Volumes = append(c.Volumes, Volume{FS: memfs.New(memfs.Config{}), Target: "/srv/volume"})
		}, false},
	} {
		k := key(tt.change)
		other, had := keys[k]
		if had != tt.same {
			t.Errorf("%s: the key is that of another: %v (%q)", tt.name, had, other)
		}
		keys[k] = tt.name
	}
}

// TestWarms: a guest that is watched as it boots, or is to be repeatable, boots.
func TestWarms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		want   bool
	}{
		{"a session", func(*Config) {}, true},
		{"with a terminal", func(c *Config) { c.Consoles.Terminal = &Terminal{} }, true},
		{"nothing is kept", func(c *Config) { c.Boot.Warm = nil }, false},
		{"no session", func(c *Config) { c.Session = nil }, false},
		{"deterministic", func(c *Config) { c.Deterministic = true }, false},
		{"the kernel's log", func(c *Config) { c.Consoles.Serial = io.Discard }, false},
		{"typed to the kernel", func(c *Config) { c.Consoles.SerialIn = strings.NewReader("") }, false},
		{"a debug console", func(c *Config) { c.Debug.Console = io.Discard }, false},
		{"a debug exit", func(c *Config) { c.Debug.Exit = 0xf4 }, false},
		{"a trace", func(c *Config) { c.Debug.Trace = TraceIO }, false},
		{"a profile", func(c *Config) { c.Debug.Profile = NewProfile(1000) }, false},
	} {
		c := Config{Session: &Session{}, Boot: Boot{Warm: &shelf{}}}
		tt.change(&c)
		if got := c.warms(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestWarm: a machine that goes on from a booted kernel shows its guest what one
// that boots does, but for the time, with a fraction of the work; a kept kernel that
// is of no use is dropped, and the machine boots.
func TestWarm(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	kept := &shelf{t: t, kept: map[string][]byte{}}
	run := func(script string, warm Warm) (*guest, uint64) {
		cfg := guestConfig(t, "686-pae", script)
		cfg.Deterministic, cfg.Memory, cfg.Boot.Warm = false, MinMemory, warm
		g := &guest{t: t}
		cfg.Session.Stdout, cfg.Session.Stderr = &g.stdout, &g.stderr
		var err error
		if g.Machine, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		before := g.Instructions()
		g.want(g.run(), Exited, 7)
		return g, g.Instructions() - before
	}
	cold, whole := run(sights, nil)
	first, _ := run(sights, kept)
	warm, rest := run(sights, kept)
	if kept.stored != 1 || len(kept.kept) != 1 || kept.dropped != 0 {
		t.Fatalf("stored %d times, dropped %d times", kept.stored, kept.dropped)
	}
	// The log tells of how fast the host was: that of the boot which was kept has to
	// be the same.
	seen := func(g *guest) (all, log string) {
		all, log, _ = strings.Cut(volatile.ReplaceAllString(g.stdout.String(), ""), "== log")
		return all, log
	}
	all, _ := seen(cold)
	firstAll, firstLog := seen(first)
	warmAll, warmLog := seen(warm)
	for _, x := range []struct{ name, got, want string }{
		{"the first run", firstAll, all}, {"the warm run", warmAll, all}, {"the warm run's log", warmLog, firstLog},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s", x.name, firstDifference(x.got, x.want))
		}
	}
	if rest > whole/2 {
		t.Errorf("%d instructions, a cold boot takes %d", rest, whole)
	}

	const draw = `head -c 32 /dev/urandom | md5sum; cat /proc/sys/kernel/random/boot_id; date +%s; exit 7`
	drawn := map[string]bool{}
	for range 3 {
		begun := time.Now()
		g, _ := run(draw, kept)
		got := lines(g.stdout.String())
		if len(got) != 3 || drawn[got[0]] || drawn[got[1]] {
			t.Fatalf("%q was drawn before, or some of it", got)
		}
		drawn[got[0]], drawn[got[1]] = true, true
		if date, err := strconv.ParseInt(got[2], 10, 64); err != nil || date < begun.Unix()-1 || date > time.Now().Unix()+1 {
			t.Errorf("the date is %s, and ours %d", got[2], time.Now().Unix())
		}
	}

	kept.damaged = true
	run("exit 7", kept)
	if kept.dropped != 1 {
		t.Errorf("what is damaged was dropped %d times", kept.dropped)
	}
}
