package bench

import (
	"bytes"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/pprof/profile"
)

// part is a part of the program that the host's processor may be busy with.
type part struct {
	name string
	// functions are beginnings of names of functions, those of ours without "alpinevm/".
	functions []string
}

// parts is what the time is divided into. A sample belongs to the first of the
// tasks that any function of its stack belongs to, else to that of the layers that
// the innermost function belongs to which any of them has. The profiler knows what lies
// outside of the program's text by one name alone, and that is code that the
// translator has made.
var parts = slices.Concat(tasks, layers)

var tasks = []part{
	{"generated code", []string{"runtime._ExternalCode"}},
	{"collector", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime._GC"}},
	{"translation tables", []string{"cpu/jit.(*Translator).fill", "cpu/jit.(*Translator).Flush", "cpu/jit.(*Translator).ProtectPage"}},
	{"translating", []string{"cpu/jit.(*Translator).translate", "cpu/jit.(*Translator).CodeWritten"}},
}

var layers = []part{
	{"entering, leaving, linking", []string{"cpu/jit"}},
	{"interpreter", []string{"cpu.", "cpu/"}},
	{"network", []string{"net/usernet", "net."}},
	{"files", []string{"fs9p"}},
	{"devices and clock", []string{"internal/board", "devices"}},
	{"the rest of Go", []string{""}},
}

// HostProfile follows what the host's processor does for this program, from
// StartHostProfile on.
type HostProfile struct {
	start time.Time
	data  bytes.Buffer
}

// StartHostProfile begins. One profile at a time can be taken of a program.
func StartHostProfile() (*HostProfile, error) {
	p := &HostProfile{start: time.Now()}
	return p, pprof.StartCPUProfile(&p.data)
}

// Stop ends it, writes the profile to w, for go tool pprof, and gives the table of
// the parts.
func (p *HostProfile) Stop(w io.Writer) (table string, err error) {
	pprof.StopCPUProfile()
	all := time.Since(p.start)
	parsed, err := profile.ParseData(p.data.Bytes())
	if err != nil {
		return "", fmt.Errorf("the profile of the host's time: %w", err)
	}
	if _, err := w.Write(p.data.Bytes()); err != nil {
		return "", err
	}
	return partsTable(partTimes(parsed), all), nil
}

// partTimes gives the time of each of parts.
func partTimes(p *profile.Profile) []time.Duration {
	times := make([]time.Duration, len(parts))
	for _, s := range p.Sample {
		times[partOf(s)] += time.Duration(s.Value[len(s.Value)-1]) // nanoseconds are the last of its values
	}
	return times
}

// partOf finds the part that a sample belongs to. The last one has every function.
func partOf(s *profile.Sample) int {
	layer := len(parts) - 1
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function == nil {
				continue
			}
			name := strings.TrimPrefix(line.Function.Name, "alpinevm/")
			i := slices.IndexFunc(parts, func(p part) bool {
				return slices.ContainsFunc(p.functions, func(f string) bool { return strings.HasPrefix(name, f) })
			})
			if i < len(tasks) {
				return i
			}
			if layer == len(parts)-1 {
				layer = i
			}
		}
	}
	return layer
}

// partsTable shows the times. all is how long the profile was taken.
func partsTable(times []time.Duration, all time.Duration) string {
	var busy time.Duration
	for _, t := range times {
		busy += t
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "processor time of %.1f s\tseconds\tshare\t\n", all.Seconds())
	for i, t := range times {
		fmt.Fprintf(w, "%s\t%.2f\t%.1f %%\t\n", parts[i].name, t.Seconds(), 100*t.Seconds()/max(busy.Seconds(), 1e-9))
	}
	fmt.Fprintf(w, "all\t%.2f\t\t\n", busy.Seconds())
	w.Flush()
	return b.String()
}
