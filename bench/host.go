package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Host describes the machine that the figures are from.
type Host struct {
	CPU    string // model, "" unknown
	Cores  int
	Load   string // load average over the last minute, "" unknown
	System string // "linux/amd64"
	Go     string // version that we are built with
	Date   time.Time
	// Kernel is the guest's release, Memory the guest's, as far as known.
	Kernel, Memory string
	Engine         string // that executes the guest's instructions
}

// DescribeHost looks at the host, now.
func DescribeHost() Host {
	h := Host{
		CPU: os.Getenv("PROCESSOR_IDENTIFIER"), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Date: time.Now(),
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				h.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		h.Load, _, _ = strings.Cut(string(data), " ")
	}
	return h
}

// String is one line for people.
func (h Host) String() string {
	parts := []string{fmt.Sprintf("%d cores", h.Cores)}
	if h.CPU != "" {
		parts[0] += " of " + h.CPU
	}
	if h.Load != "" {
		parts = append(parts, "load "+h.Load)
	}
	parts = append(parts, h.System, h.Go)
	if h.Kernel != "" {
		parts = append(parts, "guest kernel "+h.Kernel)
	}
	if h.Memory != "" {
		parts = append(parts, h.Memory+" of guest memory")
	}
	if h.Engine != "" {
		parts = append(parts, h.Engine)
	}
	return strings.Join(append(parts, h.Date.Format("2006-01-02 15:04")), ", ")
}

// Format is the lines that go before results in the Go benchmark format:
// configuration, which benchstat compares like with like by, and for people what
// differs from run to run.
func (h Host) Format() string {
	var b strings.Builder
	system, arch, _ := strings.Cut(h.System, "/")
	fmt.Fprintf(&b, "# %s\n", h)
	for _, l := range [][2]string{{"goos", system}, {"goarch", arch}, {"cpu", h.CPU}, {"kernel", h.Kernel}, {"memory", h.Memory}, {"engine", h.Engine}} {
		if l[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", l[0], l[1])
		}
	}
	return b.String()
}
