package launch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"alpinevm"
)

// VM is a machine that Start has made of an image, and that runs.
type VM struct {
	*alpinevm.VM
	closeFiles func() error
	once       sync.Once
	closed     error
}

// Option changes what Start starts.
type Option func(*Spec)

// With gives an Option that changes the Spec in any way.
func With(change func(*Spec)) Option { return change }

// Kernel is Spec.Kernel and Spec.Modules.
func Kernel(kernel, modules string) Option {
	return func(s *Spec) { s.Kernel, s.Modules = kernel, modules }
}

// Memory is the guest's, in bytes.
func Memory(bytes int64) Option { return func(s *Spec) { s.Config.Memory = bytes } }

// Program has the guest run a program as its session, which ends with it; with no
// arguments the image's own. Without it the guest is there for Command.
func Program(args ...string) Option {
	return func(s *Spec) {
		s.Config.Session.Args, s.Config.Session.Idle = args, false
	}
}

// Env adds variables, "NAME=value", to those of the image.
func Env(env ...string) Option {
	return func(s *Spec) { s.Config.Session.Env = append(s.Config.Session.Env, env...) }
}

// Share shows a file or folder of the host at a place in the guest.
func Share(host, guest string, readOnly bool) Option {
	return func(s *Spec) { s.Volumes = append(s.Volumes, Volume{Host: host, Guest: guest, ReadOnly: readOnly}) }
}

// Mount shows files at a place in the guest; fs9p.FromIOFS makes them of any fs.FS.
func Mount(v alpinevm.Volume) Option {
	return func(s *Spec) { s.Config.Volumes = append(s.Config.Volumes, v) }
}

// Network gives the guest another network than HostNetwork; nil: none.
func Network(n *alpinevm.Network) Option { return func(s *Spec) { s.Config.Network = n } }

// Start boots a guest of an image, which is pulled unless it is cached, and returns
// when it is up. It goes on from a kernel that has booted before, as Spec.Warm has it. image is what Spec.Image has, or, if it is a file or folder of the
// host, what Spec.Rootfs has. The machine has a network by the host, runs nothing
// but what it is told to, forgets what it has changed, and is switched off when ctx
// is done, or by Close.
func Start(ctx context.Context, image string, options ...Option) (*VM, error) {
	s, err := spec(image, options)
	if err != nil {
		return nil, err
	}
	return s.Start(ctx)
}

// Start starts the machine that s names, or has the one of From go on, and returns
// when its guest is up. It is switched off when ctx is done, or by Close.
func (s *Spec) Start(ctx context.Context) (*VM, error) {
	cfg, closeAll, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	var vm *alpinevm.VM
	if s.From == nil {
		vm, err = alpinevm.Start(ctx, *cfg)
	} else if m, e := s.From.Clone(*cfg); e != nil {
		err = e
	} else {
		vm = m.Go(ctx)
	}
	if err != nil {
		if !errors.Is(err, alpinevm.ErrBusy) {
			err = errors.Join(err, closeAll())
		}
		return nil, err
	}
	return &VM{VM: vm, closeFiles: closeAll}, nil
}

// startPatience is how long a Start waits for another one, which boots the same
// kernel, before it boots one too.
const startPatience = 10 * time.Second

// spec is what Start opens.
func spec(image string, options []Option) (*Spec, error) {
	network, err := HostNetwork(false, nil)
	if err != nil {
		return nil, err
	}
	s := &Spec{Config: alpinevm.Config{Network: network, Session: &alpinevm.Session{Idle: true}}, Warm: true, patience: startPatience}
	s.Config.Boot.Cache = KernelCache()
	if isFile(image) {
		s.Rootfs = image
	} else {
		s.Image = image
	}
	for _, o := range options {
		o(s)
	}
	return s, nil
}

// Close switches the machine off, as alpinevm.VM.Close does, and closes its files.
func (vm *VM) Close() error {
	vm.once.Do(func() {
		if vm.closed = vm.VM.Close(); !errors.Is(vm.closed, alpinevm.ErrBusy) {
			vm.closed = errors.Join(vm.closed, vm.closeFiles())
		}
	})
	return vm.closed
}

// HTTPClient gives a client whose requests go to the guest, whatever host their
// URLs name, at the port that they name.
func (vm *VM) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return vm.Dial(ctx, network, ":"+port)
		},
	}}
}

// isFile tells whether a name is that of a file or folder of the host rather than
// of an image.
func isFile(name string) bool {
	_, err := os.Stat(name)
	return err == nil && (filepath.IsAbs(name) || strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz"))
}
