package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// bare is what the guest's program does in a machine that boots from an initial
// root file system of ours alone, so that QEMU can boot the same.
type bare struct {
	machine func() (alpinevm.Config, func(), error)
	program string   // the guest's program: its file
	drivers []string // that the kernel is to have
	cat     bool     // the program calls cat
	folder  string   // of the host, that is volume 0; "" none
	network bool     // with the machine's network
	args    []string // what the program does
}

// run does the work in a place: Guest, an engine or QEMU.
func (b *bare) run(ctx context.Context, where string, r *Result, report func(string)) error {
	cfg, closeAll, err := b.machine()
	if err != nil {
		return err
	}
	defer closeAll()
	ram, err := b.initrd(cfg)
	if err != nil {
		return err
	}
	bare := bareConfig(cfg, ram, b.args)
	if where == QEMU {
		return runQEMU(ctx, bare, r, report, io.Discard, b.devices()...)
	}
	var s shares
	defer s.close()
	if b.network {
		bare.Network = cfg.Network
	}
	if b.folder != "" {
		if err := s.folder(&bare, b.folder, workDir, false); err != nil {
			return err
		}
	}
	return runBare(ctx, where, bare, r, report)
}

// bareConfig makes of a machine with a session one that boots from an initial
// root file system, whose program gets args.
func bareConfig(cfg alpinevm.Config, ram []byte, args []string) alpinevm.Config {
	return alpinevm.Config{
		Memory: cfg.Memory, Engine: cfg.Engine,
		Boot: alpinevm.Boot{
			Kernel: cfg.Boot.Kernel, Cache: cfg.Boot.Cache, Initrd: ram, Cmdline: cfg.Boot.Cmdline,
			Append: strings.TrimSpace(cfg.Boot.Append + " -- " + strings.Join(args, " ")),
		},
	}
}

// moduleDir is where the guest's program finds the modules that it loads, in
// the order of their names; as bench/guest has it.
const moduleDir = "/modules"

// initrd holds the program, and what of the kernel and of the root it needs.
func (b *bare) initrd(cfg alpinevm.Config) ([]byte, error) {
	c, err := beginInitrd(b.program)
	if err != nil {
		return nil, err
	}
	if b.cat {
		if err := addTools(c, cfg, "cat"); err != nil {
			return nil, err
		}
	}
	if cfg.Boot.Modules == nil || len(b.drivers) == 0 {
		return c.Bytes()
	}
	image, err := kernel.Parse(cfg.Boot.Kernel)
	if err != nil {
		return nil, err
	}
	tree, err := kernel.OpenModules(fs9p.IOFS(cfg.Boot.Modules), image.Release)
	if err != nil {
		return nil, err
	}
	modules, err := tree.Load(b.drivers...)
	if err != nil {
		return nil, err
	}
	for i, m := range modules {
		c.File(fmt.Sprintf("%s/%03d-%s.ko", moduleDir, i, m.Name), 0o644, slices.Concat(m.Data, m.Signature))
	}
	return c.Bytes()
}

// addTools adds programs of busybox.
func addTools(c *kernel.CPIO, cfg alpinevm.Config, names ...string) error {
	var tools kernel.Tools
	var err error
	if cfg.Session.Busybox != nil {
		tools, err = kernel.StaticTools(cfg.Session.Busybox)
	} else {
		tools, err = kernel.RootTools(fs9p.IOFS(cfg.Session.Root))
	}
	if err != nil {
		return err
	}
	c.File("/bin/busybox", 0o755, tools.Busybox)
	for name, data := range tools.Loader {
		c.File(name, 0o755, data)
	}
	for _, name := range names {
		c.Symlink("/bin/"+name, "busybox")
	}
	return nil
}

// devices are the arguments that give QEMU what alpinevm has.
func (b *bare) devices() []string {
	var args []string
	if b.folder != "" {
		args = append(args, "-virtfs", qemuFolder(b.folder, 0))
	}
	if b.network {
		// Without its ROM, which is for booting from the network.
		args = append(args, "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
	}
	return args
}

// qemuFolder shares a folder of the host as a volume. "none" is the one security
// model that serves root and others, and that writes what alpinevm writes: it
// leaves owners that it may not set, and keeps nothing in attributes. (QEMU's
// manual, -virtfs.)
func qemuFolder(dir string, volume int) string {
	tag := alpinevm.VolumeMount(volume, alpinevm.Volume{}).Source
	return fmt.Sprintf("local,path=%s,mount_tag=%s,security_model=none,multidevs=remap", strings.ReplaceAll(dir, ",", ",,"), tag)
}

// qemuNote says which QEMU the figures are from.
func qemuNote(ctx context.Context) string { return "qemu is " + qemuVersion(ctx) + " with -accel tcg" }
