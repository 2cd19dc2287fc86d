package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"alpinevm"
	"alpinevm/kernel"
)

// closers close what a configuration has opened.
type closers []io.Closer

func (c closers) close() {
	for _, x := range c {
		x.Close()
	}
}

// config turns the flags into a machine's configuration. closeAll ends what it
// has opened.
func (f *runFlags) config(ctx context.Context, args []string) (cfg *alpinevm.Config, closeAll func(), err error) {
	var open closers
	defer func() {
		if err != nil {
			open.close()
		}
	}()
	cfg = &alpinevm.Config{
		Hostname: f.hostname, Deterministic: f.deterministic,
		Boot:  alpinevm.Boot{Append: f.appendLine, Cmdline: f.cmdline, Cache: kernelCache()},
		Debug: alpinevm.Debug{Exit: f.debugExit},
	}
	if f.hasRoot() {
		cfg.Session = &alpinevm.Session{Args: args, Dir: f.dir, User: f.user, Init: f.init}
	}
	if f.kernelLog {
		cfg.Boot.Append = strings.TrimSpace("loglevel=7 " + cfg.Boot.Append)
	}
	if cfg.Memory, err = parseMemory(f.memory); err != nil {
		return nil, nil, err
	}
	if cfg.Debug.Trace, err = parseTrace(f.trace); err != nil {
		return nil, nil, err
	}
	for _, e := range f.env {
		v, ok, err := parseEnv(e, os.LookupEnv)
		if err != nil {
			return nil, nil, err
		}
		if ok && cfg.Session != nil {
			cfg.Session.Env = append(cfg.Session.Env, v)
		}
	}
	if cfg.Network, err = f.network.config(f.deterministic); err != nil {
		return nil, nil, err
	}
	if err := f.files(cfg); err != nil {
		return nil, nil, err
	}
	if err := f.roots(ctx, cfg, &open); err != nil {
		return nil, nil, err
	}
	if err := putNetworkFiles(cfg); err != nil {
		return nil, nil, err
	}
	if err := f.boots(ctx, cfg, &open); err != nil {
		return nil, nil, err
	}
	return cfg, open.close, nil
}

// files reads the files that are given to the machine as bytes.
func (f *runFlags) files(cfg *alpinevm.Config) error {
	image := f.kernel
	if parseKernel(image) != nil {
		image = "" // boots finds it
	}
	var busybox []byte
	for _, x := range []struct {
		flag, name string
		data       *[]byte
	}{
		{"kernel", image, &cfg.Boot.Kernel}, {"firmware", f.firmware, &cfg.Boot.Firmware},
		{"initrd", f.initrd, &cfg.Boot.Initrd}, {"busybox", f.busybox, &busybox},
	} {
		if x.name == "" {
			continue
		}
		var err error
		if *x.data, err = readFile(x.flag, x.name); err != nil {
			return err
		}
	}
	if cfg.Session != nil {
		cfg.Session.Busybox = busybox
	}
	for _, m := range f.module {
		name, _, _ := strings.Cut(m, " ")
		data, err := readFile("module", name)
		if err != nil {
			return err
		}
		cfg.Boot.ModuleFiles = append(cfg.Boot.ModuleFiles, kernel.Module{Data: data, Cmdline: m})
	}
	return nil
}

// explain gives an error of alpinevm.New the flag that it is about.
func (f *runFlags) explain(err error) error {
	var c *alpinevm.ConfigError
	if !errors.As(err, &c) {
		return err
	}
	root, user, dir := "--rootfs "+f.rootfs, "--user "+f.user, "--workdir "+f.dir
	if f.machine != nil {
		root = "machine " + f.name
	} else if f.image.name != "" {
		root = "image " + f.image.name
	}
	if f.user == "" {
		user = "the image's USER"
	}
	if f.dir == "" {
		dir = "the image's WORKDIR"
	}
	image := "Alpine's kernel"
	if f.kernel != "" {
		image = "--kernel " + f.kernel
	}
	flag, ok := map[string]string{
		"Kernel": image, "Modules": "--modules " + f.modules, "Root": root,
		"Busybox": "--busybox " + f.busybox, "User": user, "Dir": dir,
		"Hostname": "--hostname " + strconv.Quote(f.hostname), "Memory": "--memory " + f.memory,
		"Firmware": "--firmware " + f.firmware,
	}[c.Field]
	if !ok {
		return err
	}
	return fmt.Errorf("%s: %w", flag, c.Err)
}

// readFile reads the file that a flag names; the error names both.
func readFile(flag, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--%s %w", flag, named(name, err))
	case len(data) == 0:
		return nil, fmt.Errorf("--%s %s: the file is empty", flag, name)
	}
	return data, nil
}

// traceKind is a value of --trace.
type traceKind struct {
	name string
	kind alpinevm.Trace
}

var traceKinds = []traceKind{
	{"exceptions", alpinevm.TraceExceptions}, {"interrupts", alpinevm.TraceInterrupts}, {"io", alpinevm.TraceIO},
	{"post", alpinevm.TracePOST}, {"9p", alpinevm.Trace9P}, {"code", alpinevm.TraceCode},
}

// parseTrace reads the names of what to trace.
func parseTrace(names []string) (alpinevm.Trace, error) {
	var t alpinevm.Trace
	for _, n := range names {
		i := slices.IndexFunc(traceKinds, func(k traceKind) bool { return k.name == n })
		if i < 0 {
			return 0, fmt.Errorf("trace %q: want exceptions, interrupts, io, post, 9p or code", n)
		}
		t |= traceKinds[i].kind
	}
	return t, nil
}

// kernelCache keeps unpacked kernels in the user's cache folder; nil where the
// host has none.
func kernelCache() kernel.Cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return kernel.DirCache(filepath.Join(dir, "alpinevm", "kernel"))
}
