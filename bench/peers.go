package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"alpinevm"
)

// CheckPeers refuses peers that are unknown, or not to be had here, or that the
// workload does not know. Engines are peers of every workload.
func CheckPeers(list []string, known ...string) error {
	for _, p := range list {
		if slices.Contains(Engines(), p) {
			if _, err := Engine(p); err != nil {
				return fmt.Errorf("--vs %w", err)
			}
			continue
		}
		if !slices.Contains(known, p) {
			return fmt.Errorf("--vs %q: want %s", p, strings.Join(slices.Concat(known, Engines()), ", "))
		}
		switch p {
		case Native:
			if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "386" {
				return fmt.Errorf("--vs native: %s/%s does not run linux/386 programs", runtime.GOOS, runtime.GOARCH)
			}
		case QEMU:
			if _, err := exec.LookPath(qemuProgram); err != nil {
				return fmt.Errorf("--vs qemu: %s is not installed (Debian: apt-get install qemu-system-x86; Alpine: apk add qemu-system-i386)", qemuProgram)
			}
		}
	}
	return nil
}

// killDelay is how long a peer that was told to end may keep its output open.
const killDelay = 2 * time.Second

// runNative runs c, whose standard output tells of steps, on the host.
func runNative(ctx context.Context, c *exec.Cmd, r *Result, report func(string)) error {
	marks, said, err := follow(c, Native, r, report, io.Discard)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case marks.failed != "":
		return fmt.Errorf("%s on the host: %s\n%s", r.Workload, marks.failed, said.String())
	case err != nil:
		return fmt.Errorf("%s on the host: %w\n%s", r.Workload, err, said.String())
	}
	return nil
}

// follow starts c, reads the marks that it prints, and waits for its end.
// Other lines go to other as well.
func follow(c *exec.Cmd, where string, r *Result, report func(string), other io.Writer) (*marker, *tail, error) {
	said := &tail{}
	marks := &marker{where: where, r: r, report: report, other: io.MultiWriter(said, other)}
	pr, pw, err := os.Pipe()
	if err != nil {
		return marks, said, err
	}
	defer pr.Close()
	c.Stdout, c.Stderr, c.WaitDelay = pw, said, killDelay
	ownChild(c)
	if err := c.Start(); err != nil {
		pw.Close()
		return marks, said, err
	}
	pw.Close()
	marks.read(pr, nil)
	return marks, said, c.Wait()
}

// inTurn measures in the guest and then on each peer, as often as runs says.
func inTurn(runs int, vs []string, report func(string), work func(where string) error) error {
	for i := range max(runs, 1) {
		if runs > 1 {
			report(fmt.Sprintf("run %d of %d", i+1, runs))
		}
		for _, where := range append([]string{Guest}, vs...) {
			if err := work(where); err != nil {
				return err
			}
		}
	}
	return nil
}

const qemuProgram = "qemu-system-i386"

// qemuCmdline is added to the kernel's command line: on a loaded host QEMU's
// timer comes too late for the test that Linux makes of an I/O APIC, and it
// panics.
const qemuCmdline = " no_timer_check "

// runQEMU runs what runBare runs, under QEMU without KVM: the same kernel,
// initial root file system, command line and memory. devices are arguments that
// add what cfg has besides. Lines that are no marks go to other as well.
func runQEMU(ctx context.Context, cfg alpinevm.Config, r *Result, report func(string), other io.Writer, devices ...string) error {
	dir, err := os.MkdirTemp("", "alpinevm-qemu-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image, ram := filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "initrd")
	if err := errors.Join(os.WriteFile(image, cfg.Boot.Kernel, 0o600), os.WriteFile(ram, cfg.Boot.Initrd, 0o600)); err != nil {
		return err
	}
	line := cfg.Boot.Cmdline
	if line == "" {
		line = alpinevm.DefaultCmdline
	}
	args := append([]string{"-accel", "tcg", "-m", fmt.Sprintf("%dM", cfg.Memory>>20), "-display", "none", "-monitor", "none",
		"-nic", "none", "-no-reboot", "-serial", "stdio", "-kernel", image, "-initrd", ram, "-append", strings.TrimSpace(line + qemuCmdline + cfg.Boot.Append)}, devices...)
	c := exec.CommandContext(ctx, qemuProgram, args...)
	marks, said, err := follow(c, QEMU, r, report, other)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w\n%s", qemuProgram, err, said.String())
	}
	return marks.bareEnd(said, qemuProgram+" ended")
}

// qemuVersion is such as "7.2.19".
func qemuVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, qemuProgram, "--version").Output()
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(out), "version ")
	version, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(version)
}
