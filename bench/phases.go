package bench

import (
	"regexp"
	"time"
)

// phase is a part of a boot. It ends with a line of the log.
type phase struct {
	name string
	end  *regexp.Regexp
}

// bootPhases are the parts of a boot of Linux, in order. A kernel that does not
// print the line of one counts it to the next. The lines are those of Linux 5.10
// to 6.18.
func bootPhases() []phase {
	var list []phase
	for _, p := range [][2]string{
		{"loader", `Linux version `},
		{"paging", `Zone ranges:`},
		{"memory", `Memory: \d+K/`},
		{"tracing", `ftrace: allocated \d+ pages`},
		{"scheduler-and-clock", `Calibrating delay loop`},
		{"processor", `devtmpfs: initialized`},
		{"core", `PCI: Using configuration type`},
		{"acpi", `ACPI: Interpreter enabled`},
		{"pci", `clocksource: Switched to clocksource`},
		{"network-and-files", `Trying to unpack rootfs`},
		{"drivers", `sched_clock: Marking stable`},
		{"late-initcalls", `Freeing unused kernel image`},
		{"to-init", `Run /init as init process`},
		{"modules", `9p: Installing v9fs`},
		{"program", `^` + markReady + `$`},
	} {
		list = append(list, phase{p[0], regexp.MustCompile(p[1])})
	}
	return list
}

// markReady is the line of the program that a boot ends with.
const markReady = "@ready"

// phases follows a boot by its log. It is the io.Writer that a marker gives
// other lines to, one a call.
type phases struct {
	where  string
	r      *Result
	report func(string)
	count  func() uint64 // retired instructions; nil: nobody knows
	left   []phase

	began, last time.Time
	counted     uint64
	log         tail
	done        bool
}

// begin starts the clock.
func (p *phases) begin(now time.Time) { p.began, p.last = now, now }

// step adds what has passed since the last one.
func (p *phases) step(name string, now time.Time) {
	s := Step{Name: name, Where: p.where, Time: now.Sub(p.last)}
	p.last = now
	if p.count != nil {
		n := max(p.count(), p.counted)
		s.Instructions = n - p.counted
		p.counted = n
	}
	p.add(s)
}

func (p *phases) add(s Step) {
	p.r.Steps = append(p.r.Steps, s)
	m := marker{where: p.where, r: p.r}
	p.report(m.progress(s, 0))
}

// Write takes a line of the log.
func (p *phases) Write(line []byte) (int, error) {
	now := time.Now()
	p.log.Write(line)
	for i, ph := range p.left {
		if ph.end.Match(trimLine(line)) {
			p.step(ph.name, now)
			p.left = p.left[i+1:]
			if len(p.left) == 0 {
				p.total(now)
			}
			break
		}
	}
	return len(line), nil
}

func trimLine(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// total is the whole boot.
func (p *phases) total(now time.Time) {
	p.done = true
	p.add(Step{Name: "total", Where: p.where, Time: now.Sub(p.began), Instructions: p.counted})
}
