package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkCloneCommand has alpinevm clone make a hundred machines of one, which
// live at a time. It tells how long that takes, what the command and the machines
// take of the host's processors, what each machine takes of its memory (PSS), and
// how many answer a command.
func BenchmarkCloneCommand(b *testing.B) {
	const clones = 100
	ownState(b)
	args := append([]string{"run", "-d", "--name", "box"}, guestFlags(b, "-m", "512M", "--", "sleep", "1000000")...)
	if out, err := exec.Command("alpinevm", args...).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.Cleanup(func() { exec.Command("alpinevm", "rm", "-f", "box").Run() })
	for b.Loop() {
		begin := time.Now()
		used := own(b, "clone", "-q", "box", "c", "-n", fmt.Sprint(clones))
		b.ReportMetric(time.Since(begin).Seconds(), "s-made")
		time.Sleep(time.Second) // what they do behind that, too
		var shares []int
		for _, pid := range machineProcesses(b, "--hostname=c-") {
			used += processorTimeOf(b, pid)
			shares = append(shares, shareOf(b, pid))
		}
		b.ReportMetric(float64(used.Milliseconds()), "cpu-ms-made")
		if len(shares) != clones {
			b.Fatalf("%d machines live", len(shares))
		}
		slices.Sort(shares)
		b.ReportMetric(float64(shares[clones/2])/1e3, "MB-each")
		b.ReportMetric(float64(shares[clones-1])/1e3, "MB-most")
		names := []string{"rm", "-f"}
		for i := range clones {
			name := fmt.Sprint("c-", i+1)
			if out, err := exec.Command("alpinevm", "exec", name, "hostname").Output(); err != nil || string(out) != name+"\n" {
				b.Errorf("%s answers %q, %v", name, out, err)
			}
			names = append(names, name)
		}
		own(b, names...)
	}
}

// machineProcesses are the processes of our state folder with such an argument.
func machineProcesses(b *testing.B, argument string) (pids []string) {
	b.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		b.Fatal(err)
	}
	ours := []byte("XDG_STATE_HOME=" + os.Getenv("XDG_STATE_HOME") + "\x00")
	for _, dir := range dirs {
		args, _ := os.ReadFile(dir + "/cmdline") // of one that has gone there is nothing
		env, _ := os.ReadFile(dir + "/environ")
		if bytes.Contains(args, []byte(argument)) && bytes.Contains(env, ours) {
			pids = append(pids, filepath.Base(dir))
		}
	}
	return pids
}

// processorTimeOf is what a process has used so far (proc(5), stat: fields 14 and
// 15, in hundredths of a second).
func processorTimeOf(b *testing.B, pid string) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// shareOf is a process's share of memory in kilobytes (proc(5), smaps_rollup).
func shareOf(b *testing.B, pid string) (kb int) {
	b.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb * 1024 / 1000
}
