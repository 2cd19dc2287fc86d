package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"alpinevm"
	"alpinevm/fs9p/oci/store"
	"alpinevm/kernel"
	"alpinevm/launch"
)

// config is the configuration of the machine that the flags ask for. closeAll
// ends what it has opened.
func (f *runFlags) config(ctx context.Context, args []string) (cfg *alpinevm.Config, closeAll func() error, err error) {
	spec, err := f.spec(args)
	if err != nil {
		return nil, nil, err
	}
	return spec.Open(ctx)
}

// spec turns the flags into what a machine is made from.
func (f *runFlags) spec(args []string) (*launch.Spec, error) {
	s := &launch.Spec{
		Config: alpinevm.Config{
			Hostname: f.hostname, Deterministic: f.deterministic, Engine: alpinevm.Engine(f.engine),
			Boot:  alpinevm.Boot{Append: strings.TrimSpace(f.docker.words() + " " + f.appendLine), Cmdline: f.cmdline, Cache: launch.KernelCache()},
			Debug: alpinevm.Debug{Exit: f.debugExit},
		},
		Image: f.image.name, Rootfs: f.rootfs, Entrypoint: f.image.entrypoint,
		Kernel: f.kernel, Modules: f.modules, Firmware: f.firmware, Initrd: f.initrd, Busybox: f.busybox, ModuleFiles: f.module,
		Pull: store.Policy(f.image.pull), Fetching: f.image.fetch.fetching(&f.alpine), Mirror: f.alpine.mirror(), Progress: showProgress(f.quiet),
	}
	var err error
	if f.machine != nil {
		s.Kept = f.machine
	}
	if f.from != nil {
		s.From = f.from.Snapshot
	}
	if s.Storage, err = f.docker.limit(); err != nil {
		return nil, err
	}
	s.Warm = !f.cold && !f.kernelLog
	if f.kernelLog {
		s.Config.Boot.Append = strings.TrimSpace("loglevel=7 " + s.Config.Boot.Append)
	}
	if s.Config.Memory, err = parseMemory(f.memory); err != nil {
		return nil, err
	}
	if err := f.trace.config(&s.Config.Debug); err != nil {
		return nil, err
	}
	if err := f.profile.config(&s.Config.Debug); err != nil {
		return nil, err
	}
	env, err := parseEnvs(f.env, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if f.hasRoot() {
		s.Config.Session = &alpinevm.Session{Args: args, Env: env, Dir: f.dir, User: f.user, Init: f.init}
	}
	if s.Config.Network, err = f.network.config(f.deterministic); err != nil {
		return nil, err
	}
	if f.from != nil {
		if err := f.sameNetwork(); err != nil {
			return nil, err
		}
		if !f.from.was.Network {
			s.Config.Network = nil
		}
	}
	if s.Config.Network != nil && len(f.docker.dnsSearch) > 0 {
		s.Config.Network.DNS.Search = f.docker.dnsSearch
	}
	if moreVolumes != nil {
		s.Config.Volumes = moreVolumes()
	}
	tmpfs, err := parseTmpfs(f.tmpfs)
	if err != nil {
		return nil, err
	}
	if f.docker.shmSize != "" {
		tmpfs = append([]tmpfsMount{{"/dev/shm", "mode=1777,size=" + f.docker.shmSize}}, tmpfs...)
	}
	if session := s.Config.Session; session != nil {
		session.ReadOnly = f.readOnly
		for _, t := range tmpfs {
			session.Tmpfs = append(session.Tmpfs, alpinevm.Tmpfs{Target: t.target, Options: t.options})
		}
	}
	s.Volumes, err = parseVolumes(f.volumes)
	for i, v := range s.Volumes {
		if slices.Contains(f.namedDirs, v.Host) {
			s.Volumes[i].Limit = s.Storage
		}
	}
	return s, err
}

// specFlags are the flags of what a launch.Spec names.
var specFlags = map[string]string{
	"Kernel": "--kernel", "Modules": "--modules", "Firmware": "--firmware", "Initrd": "--initrd", "Busybox": "--busybox", "ModuleFiles": "--module",
	"Rootfs": "--rootfs", "Volumes": "-v", "Mirror": "--mirror-key",
}

// explain gives an error of making the machine the flag that it is about.
func (f *runFlags) explain(err error) error {
	var s *launch.Error
	var c *alpinevm.ConfigError
	switch {
	case errors.Is(err, launch.ErrNoBusybox):
		return fmt.Errorf("%w, or give one with --busybox", err)
	case errors.Is(err, kernel.ErrBIOS):
		return fmt.Errorf("--kernel %s: %w%s", f.kernel, kernel.ErrBIOS, giveBIOS)
	case errors.As(err, &s):
		return fmt.Errorf("%s %s: %w", specFlags[s.Field], s.Name, s.Err)
	case errors.As(err, &c):
		if flag, ok := f.given()[c.Field]; ok {
			return fmt.Errorf("%s: %w", flag, c.Err)
		}
	}
	return err
}

// giveBIOS is what to do where there is no BIOS.
const giveBIOS = "; --firmware FILE gives one, such as SeaBIOS"

// giveModules is what to do where a kernel lacks its modules.
const giveModules = "; --modules DIR gives them, the folder lib/modules of where the kernel is from"

// given is what the fields of an alpinevm.ConfigError come from.
func (f *runFlags) given() map[string]string {
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
	return map[string]string{
		"Kernel": image, "Modules": "--modules " + f.modules, "Root": root,
		"Busybox": "--busybox " + f.busybox, "User": user, "Dir": dir,
		"Hostname": "--hostname " + strconv.Quote(f.hostname), "Memory": "--memory " + f.memory,
		"Firmware": "--firmware " + f.firmware,
	}
}
