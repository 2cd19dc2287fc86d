package alpinevm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// started is what a guest's script prints first, on the kernel's log, where it
// is seen at once.
const started = "machine test started"

// inspection is a script that shows what a guest sees, each part behind a line
// of its name.
const inspection = `echo "<0>` + started + `" >/dev/kmsg
part() { echo "== $1"; }
part uname; uname -srm
part os; . /etc/os-release; echo $ID $VERSION_ID
part cpu; grep -m1 ^flags /proc/cpuinfo
part id; id -u; hostname; pwd; echo $HOME $PATH
part clock; cat /sys/devices/system/clocksource/clocksource0/current_clocksource
part interrupts; cat /proc/interrupts
part date; date +%Y-%m-%dT%H:%M
part sleep; read from x </proc/uptime; sleep 10; read to x </proc/uptime; echo $from $to
part mounts; cut -d' ' -f1-3 /proc/mounts
part lo; ifconfig lo | grep -o 'addr:127[0-9.]*'
part log; dmesg
part clock; cat /sys/devices/system/clocksource/clocksource0/current_clocksource
part terminal; tty && stty size && echo $TERM
part orphans; (sh -c 'sleep 0.01 & exit' ); sleep 0.1; grep -l '^State:.Z' /proc/[0-9]*/status
part modules; lsmod | cut -d' ' -f1
part end; echo error text >&2; exit 42
`

// inspected is what the script printed, by part.
func inspected(t *testing.T, text string) map[string][]string {
	t.Helper()
	parts := map[string][]string{}
	var name string
	for _, l := range lines(text) {
		if n, ok := strings.CutPrefix(l, "== "); ok {
			name = n
			continue
		}
		parts[name] = append(parts[name], l)
	}
	if _, ok := parts["end"]; !ok && !strings.Contains(text, "== end") {
		t.Fatalf("the guest printed only\n%s", text)
	}
	return parts
}

// TestBoot boots real kernels to the end of a session, twice each: what the
// guest sees is right, and the same both times. One kernel has three-level
// paging and no terminal, the other two levels and a terminal.
func TestBoot(t *testing.T) {
	for _, tt := range []struct {
		flavour  string
		terminal bool
	}{{"686-pae", false}, {"686", true}} {
		t.Run(tt.flavour, func(t *testing.T) {
			t.Parallel()
			type result struct {
				retired       uint64
				serial        string
				output, error string
			}
			var results [2]result
			for i := range results {
				cfg := sessionConfig(t, tt.flavour, inspection)
				cfg.Boot.Append = "loglevel=7"
				var out buffer
				if tt.terminal {
					cfg.Consoles.Terminal = &Terminal{Out: &out, Cols: 132, Rows: 43, Term: "xterm"}
				}
				g := newGuest(t, cfg)
				before := g.Instructions()
				if e := g.stepUntil(bootBudget, func() bool { return bytes.Contains(g.board.Log(), []byte(started)) }); e != nil {
					t.Fatalf("ended before the program: %+v\n%s", e, g.describe())
				}
				t.Logf("program started after %d million instructions", (g.Instructions()-before)/1e6)
				checkProtection(t, g.board.Registers())
				g.want(g.run(), Exited, 42)
				results[i] = result{g.Instructions(), g.serial.String(), g.stdout.String() + out.String(), g.stderr.String()}
			}
			if results[0].retired != results[1].retired {
				t.Errorf("two runs of %d and %d instructions", results[0].retired, results[1].retired)
			}
			if results[0].serial != results[1].serial {
				t.Error("two runs with different logs: ", firstDifference(results[0].serial, results[1].serial))
			}
			if results[0].output != results[1].output {
				t.Error("two runs with different output: ", firstDifference(results[0].output, results[1].output))
			}
			if !tt.terminal && results[0].error != "error text\n" {
				t.Errorf("standard error: %q", results[0].error)
			}
			parts := inspected(t, results[0].output)
			checkInspection(t, tt.flavour, parts)
			terminal := "not a tty"
			if tt.terminal {
				terminal = "/dev/hvc0|43 132|xterm"
			}
			if s := strings.Join(parts["terminal"], "|"); s != terminal {
				t.Errorf("terminal: %q, want %q", s, terminal)
			}
		})
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(a, b string) string {
	la, lb := lines(a), lines(b)
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return fmt.Sprintf("%q and %q", la[i], lb[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(la), len(lb))
}

func checkInspection(t *testing.T, flavour string, got map[string][]string) {
	t.Helper()
	for part, want := range map[string]string{
		"os":    "alpine 3.20.3",
		"id":    "0|alpine|/|/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"clock": "tsc|tsc",
		"date":  "2020-01-01T00:00",
		"lo":    "addr:127.0.0.1",
	} {
		if s := strings.Join(got[part], "|"); s != want {
			t.Errorf("%s: %q, want %q", part, s, want)
		}
	}
	if u := strings.Join(got["uname"], ""); !strings.HasPrefix(u, "Linux 6.") || !strings.HasSuffix(u, "-"+flavour+" i686") {
		t.Errorf("uname: %q", u)
	}
	if len(got["orphans"]) != 0 {
		t.Errorf("processes that nobody reaped: %q", got["orphans"])
	}
	var from, to float64
	if _, err := fmt.Sscan(strings.Join(got["sleep"], " "), &from, &to); err != nil || to-from < 9.99 || to-from > 10.1 {
		t.Errorf("sleep 10: %q, %v", got["sleep"], err)
	}
	for _, want := range []string{"root / 9p", "proc /proc proc", "dev /dev devtmpfs", "modules /lib/modules/"} {
		if !strings.Contains(strings.Join(got["mounts"], "\n"), want) {
			t.Errorf("no mount %q in %q", want, got["mounts"])
		}
	}
	flags := strings.Fields(strings.Join(got["cpu"], " "))
	for _, want := range []string{"ssse3", "sse4_1", "sse4_2", "popcnt", "movbe", "aes", "pclmulqdq", "rdrand", "rdseed", "smep", "smap", "umip"} {
		if !slices.Contains(flags, want) {
			t.Errorf("the kernel does not see %s: %q", want, flags)
		}
	}
	checkInterrupts(t, got["interrupts"])
	checkLog(t, strings.Join(got["log"], "\n"))
}

// checkProtection looks at CR4: the kernel uses UMIP, SMEP and SMAP.
func checkProtection(t *testing.T, registers string) {
	t.Helper()
	_, text, _ := strings.Cut(registers, "CR4 ")
	var cr4 uint32
	if _, err := fmt.Sscanf(text, "%x", &cr4); err != nil || cr4&(1<<11|1<<20|1<<21) != 1<<11|1<<20|1<<21 {
		t.Errorf("CR4 is %#x, %v", cr4, err)
	}
}

// checkInterrupts looks at /proc/interrupts: the devices are on their lines,
// and there is no spurious interrupt.
func checkInterrupts(t *testing.T, table []string) {
	t.Helper()
	counts := map[string]int{}
	for _, l := range table {
		f := strings.Fields(l)
		var n int
		if len(f) < 2 {
			continue
		}
		if _, err := fmt.Sscan(f[1], &n); err != nil {
			continue
		}
		counts[strings.TrimSuffix(f[0], ":")] = n
		if len(f) > 3 {
			counts[f[0]+f[2]+":"+f[3]] = n
		}
	}
	for _, line := range []string{"0:XT-PIC:timer", "10", "11"} {
		if counts[line] == 0 {
			t.Errorf("no interrupts on %q: %q", line, table)
		}
	}
	for _, line := range []string{"0:XT-PIC:timer", "4:XT-PIC:ttyS0", "8:XT-PIC:rtc0", "9:XT-PIC:acpi"} {
		if _, ok := counts[line]; !ok {
			t.Errorf("line %q is missing: %q", line, table)
		}
	}
	for _, none := range []string{"NMI", "SPU", "ERR", "MIS"} {
		if counts[none] != 0 {
			t.Errorf("%d times %s", counts[none], none)
		}
	}
}

// checkLog looks at the kernel's log.
func checkLog(t *testing.T, log string) {
	t.Helper()
	crng, init := strings.Index(log, "crng init done"), strings.Index(log, "Run /init as init process")
	if crng < 0 || init < 0 || crng > init {
		t.Errorf("crng init done at %d, Run /init at %d of the log", crng, init)
	}
	for _, want := range []string{"tsc: Detected 1000.000 MHz processor", "ACPI: Interpreter enabled", "rtc_cmos"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log says nowhere %q", want)
		}
	}
	for _, bad := range []string{
		"BUG", "WARNING", "Oops", "unchecked MSR", "segfault", "trap ", "Call Trace", "nobody cared", "spurious",
		"ACPI Error", "ACPI Warning", "ACPI BIOS", "unstable", "[Firmware Bug]", "can't claim", "no compatible bridge",
		"invalid opcode", "general protection", "hung", "needs reset", "detected stall",
	} {
		for _, l := range lines(log) {
			if strings.Contains(l, bad) {
				t.Errorf("the log says %q", l)
			}
		}
	}
}
