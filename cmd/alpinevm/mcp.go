package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/agents"
	"alpinevm/internal/confine"
	"alpinevm/launch"
	"alpinevm/net/usernet"
)

// mcpFlags are the flags of alpinevm mcp: those of run that it has too, and limits.
type mcpFlags struct {
	run      runFlags
	images   []string
	anyImage bool
	limits   agents.Limits
	output   string
	netLog   string
	log      *usernet.JSONLog
}

const mcpLong = `Serve machines to an agent: by the Model Context Protocol, on standard input and
output. The agent's program starts this one, as its configuration says:

  {"mcpServers": {"alpinevm": {"command": "alpinevm", "args": ["mcp"]}}}

The agent can make machines, run commands in them, read and write their files,
take snapshots and go on from them. What it can get is what the flags say, and
less if it asks for less: by default the image i386/alpine, no network, nothing of
the host's files. --allow gives a network with what it names and nothing else,
--network user one that reaches the internet; -v shares a folder.

The machines end with the server: when the agent's program closes its input, or
with SIGTERM. On Linux, this process reaches the host's files that are shared and
the cache of images, and can start no program: an image that needs a credential
helper is to be pulled before, by alpinevm pull.`

const mcpExample = `  # an Alpine without a network
  alpinevm mcp
  # two images, a network for packages of Python, and a project that cannot be changed
  alpinevm mcp --image python:3-alpine --image alpine:3.20 --allow pypi.org:443 --allow files.pythonhosted.org:443 -v .:/src:ro
  # a root and a kernel of one's own, more machines for a shorter time
  alpinevm mcp --rootfs root.tar.gz --kernel vmlinuz --modules lib/modules --machines 16 --memory 128M --time 30s --life 10m`

func newMCP() *cobra.Command {
	f := &mcpFlags{}
	c := &cobra.Command{
		Use:     "mcp [flags]",
		Short:   "Serve machines to an agent by the Model Context Protocol",
		Long:    mcpLong,
		Example: mcpExample,
		Args:    want(0, 0),
		RunE:    func(c *cobra.Command, _ []string) error { return f.serve(c.Context()) },
	}
	fl, r := c.Flags(), &f.run
	r.hostname = defaultHostname
	fl.StringArrayVar(&f.images, "image", nil, "let machines be made of this `IMAGE`; the first one unless the agent names another (may be repeated; default "+launch.DefaultImage+")")
	fl.BoolVar(&f.anyImage, "any-image", false, "let the agent name any image, which is pulled from wherever the name says")
	fl.StringVar(&r.rootfs, "rootfs", "", "make all machines of this root file system `ROOT`, in place of an image")
	fl.StringVar(&r.kernel, "kernel", "", "boot `KERNEL`, as run has it")
	fl.StringVar(&r.modules, "modules", "", "folder or tarball `DIR` with the kernel's modules")
	fl.StringVar(&r.busybox, "busybox", "", "static i386 busybox `FILE`, for roots other than Alpine's")
	fl.StringArrayVarP(&r.volumes, "volume", "v", nil, "let machines have a host folder or file: `HOST:GUEST[:ro]`")
	fl.IntVar(&f.limits.Machines, "machines", 4, "let there be `NUMBER` machines at a time")
	fl.StringVarP(&r.memory, "memory", "m", "512M", "the most memory of one machine: `SIZE` from 64M to 3G")
	fl.IntVar(&f.limits.Snapshots, "snapshots", 4, "let there be `NUMBER` snapshots at a time, each of which takes as much memory as its machine")
	fl.DurationVar(&f.limits.Time, "time", 5*time.Minute, "the most `TIME` that a command, or another request, may take")
	fl.DurationVar(&f.limits.Life, "life", 2*time.Hour, "switch a machine off after this `TIME`")
	fl.StringVar(&f.output, "output", "64K", "the most of each of a command's outputs, or of a file, that one answer has: `SIZE` up to 4M")
	fl.StringVar(&r.network.kind, "network", "", "network of the machines: none, or user, which reaches the internet (default none; user where --allow is given)")
	p := &r.network.policy
	fl.StringArrayVar(&p.allow, "allow", nil, "let machines reach `WHAT` and nothing else, as run has it (may be repeated)")
	fl.StringArrayVar(&p.deny, "deny", nil, "do not let machines reach `WHAT`, whatever else is allowed")
	fl.StringVar(&p.rate, "net-rate", "", "let `BYTES` a second pass in each direction of each machine, such as 500k or 2M")
	fl.StringVar(&f.netLog, "net-log", "", "write a line of JSON for each connection, flow, name and refusal to `FILE`")
	fl.StringArrayVar(&r.network.dns, "dns", nil, "ask the name server at `IP` in place of the host's")
	fl.BoolVar(&r.network.hostLoopback, "host-loopback", false, "let machines reach the host: its 127.0.0.1 as 10.0.2.2, and its own addresses")
	fl.BoolVar(&r.network.privateNetworks, "private-networks", false, "let machines reach what is not public, as run has it")
	fl.StringVar(&r.hostMemory, "host-memory", "6G", "end when we take more than `SIZE` of the host's memory beside the machines', or nine tenths of all that the host has")
	fl.BoolVar(&r.noConfine, "no-confine", false, "do without what confines us on Linux")
	fl.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing but errors on standard error")
	addEngine(c, &r.engine)
	r.image.add(fl)
	r.alpine.add(fl)
	if err := fl.MarkHidden("entrypoint"); err != nil {
		panic("BUG: " + err.Error())
	}
	return c
}

// maxAgentOutput is the most of --output.
const maxAgentOutput = 4 << 20

// check completes the flags and refuses what they cannot mean.
func (f *mcpFlags) check() (err error) {
	r, l := &f.run, &f.limits
	for _, n := range []struct {
		flag  string
		value int
		least int
	}{{"--machines", l.Machines, 1}, {"--snapshots", l.Snapshots, 0}} {
		if n.value < n.least || n.value > 1000 {
			return fmt.Errorf("%s %d: want %d to 1000", n.flag, n.value, n.least)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"--time", l.Time}, {"--life", l.Life}} {
		if d.value <= 0 {
			return fmt.Errorf("%s %s: want a time such as 90s or 5m", d.flag, d.value)
		}
	}
	if l.Memory, err = parseMemory(r.memory); err != nil {
		return fmt.Errorf("--memory: %w", err)
	}
	n, err := units.RAMInBytes(f.output)
	if err != nil || n < 1024 || n > maxAgentOutput {
		return fmt.Errorf("--output %q: want a size such as 64K, from 1K to 4M", f.output)
	}
	l.Output = int(n)
	switch {
	case r.rootfs != "" && (f.images != nil || f.anyImage):
		return errors.New("--rootfs is in place of an image: leave out --image and --any-image, or --rootfs")
	case r.kernel == "" && r.modules != "":
		return errors.New("--modules needs --kernel: the kernel that Alpine has brings its own")
	case slices.Contains(f.images, ""):
		return errors.New("--image: want the name of an image, such as alpine:3.20")
	}
	if r.rootfs == "" && f.images == nil {
		f.images = []string{launch.DefaultImage}
	}
	if r.rootfs == "" {
		r.image.name = f.images[0]
	}
	if r.network.kind == "" {
		r.network.kind = networkNone
		if r.network.policy.allow != nil {
			r.network.kind = networkUser
		}
	}
	if f.netLog != "" && r.network.kind == networkNone {
		return errors.New("--net-log needs a network, and --network is none")
	}
	return r.image.fetch.check(r.quiet)
}

// spec makes what all machines have alike.
func (f *mcpFlags) spec() (*launch.Spec, error) {
	s, err := f.run.spec(nil)
	if err != nil {
		return nil, err
	}
	s.Config.Session.Idle, s.Progress = true, nil
	s.Image, s.Volumes = "", nil // which the agent chooses
	if s.Config.Network != nil && f.log != nil {
		s.Config.Network.Log = f.log
	}
	return s, nil
}

// openLog makes the file of --net-log, which all machines write to.
func (f *mcpFlags) openLog(note func(string, ...any)) (closeLog func(), err error) {
	if f.netLog == "" {
		return func() {}, nil
	}
	p := &f.run.network.policy
	p.tell = func(text string) { note("%s", text) }
	w, err := p.create("--net-log", f.netLog)
	if err != nil {
		return nil, err
	}
	f.log = usernet.NewJSONLog(w, netLogLimit, p.failed("--net-log", f.netLog))
	return f.log.Close, nil
}

// serve is alpinevm mcp from its flags to its end.
func (f *mcpFlags) serve(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	r := &f.run
	beside, err := parseSize("--host-memory", r.hostMemory)
	if err != nil {
		return err
	}
	note := note(os.Stderr, r.quiet)
	r.network.open = r.lookOut()
	closeLog, err := f.openLog(note)
	if err != nil {
		return err
	}
	defer closeLog()
	if _, err := f.spec(); err != nil { // while somebody reads it
		return err
	}
	shares, err := parseVolumes(r.volumes)
	if err != nil {
		return err
	}
	if err := checkShares(shares); err != nil {
		return err
	}
	keepBrokenPipes()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := newMemoryLimit(int64(f.limits.Machines+f.limits.Snapshots)*f.limits.Memory, beside)
	f.confine(note)
	exceeded := limit.watch(ctx.Done())
	go func() {
		select {
		case err := <-exceeded:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	server := agents.New(agents.Config{
		Limits: f.limits, Images: f.images, AnyImage: f.anyImage, Shares: shares, Network: r.network.kind == networkUser, Spec: f.spec, Explain: r.explain, Version: versionLine(),
	})
	err = server.Serve(ctx, os.Stdin, os.Stdout)
	var large tooLarge
	if errors.As(context.Cause(ctx), &large) {
		return large
	}
	if errors.Is(err, context.Canceled) {
		return nil // by a signal
	}
	return err
}

// checkShares refuses a share that is not there, or two at one place, before an
// agent asks for them.
func checkShares(list []launch.Volume) error {
	for i, v := range list {
		if _, err := os.Stat(v.Host); err != nil {
			return fmt.Errorf("-v %s: %w", v.Host, cause(err))
		}
		if slices.ContainsFunc(list[:i], func(o launch.Volume) bool { return o.Guest == v.Guest }) {
			return fmt.Errorf("-v %s: %s is taken by another volume", v.Host, v.Guest)
		}
	}
	return nil
}

// agentCaches are folders of ours that images and kernels come to.
var agentCaches = []string{"images", "apk", "kernel", "warm"}

// confine takes from this process what it has no use for while it makes machines and
// runs them.
func (f *mcpFlags) confine(note func(format string, args ...any)) {
	r := &f.run
	if r.noConfine {
		return
	}
	_, _ = x509.SystemCertPool() // which are read now
	c := r.needs(true)
	for _, name := range agentCaches {
		if dir, err := launch.CacheDir(name); err == nil && os.MkdirAll(dir, 0o700) == nil {
			c.Keep = append(c.Keep, dir)
		}
	}
	for _, name := range append([]string{r.kernel, r.modules, r.rootfs, r.busybox}, r.alpine.keys...) {
		if name != "" && !launch.IsAlpineKernel(name) {
			c.Read = append(c.Read, absolute(name))
		}
	}
	c.Read = append(c.Read, credentials()...)
	layers, possible := confine.Apply(c), confine.Probe()
	for i, l := range layers {
		if l.Err != nil && possible[i].Err == nil {
			note("not confined by %s: %s", l.Name, l.Err)
		}
	}
}

// credentials are the files that say how to log in to registries.
func credentials() []string {
	dir := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".docker")
	}
	if dir == "" {
		return nil
	}
	return []string{filepath.Join(dir, "config.json")}
}
