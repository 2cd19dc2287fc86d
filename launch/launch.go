// Package launch makes machines of what people name: the image of a registry, an
// archive, a folder, a release of Alpine. It finds, fetches, verifies and caches
// them as the command alpinevm run does.
package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/imageconfig"
)

// DefaultImage is what to run where nothing is named.
const DefaultImage = "i386/alpine:latest"

// Spec names what a machine is made from.
type Spec struct {
	// Config is what needs no looking for. Open completes a copy of it.
	Config alpinevm.Config

	// Image is the name of an image, its ID or its digest. Rootfs, in its
	// place, is a file or folder of the host: an OCI layout, an archive of
	// docker save, a tarball or a folder. With neither, and no Kept, there is
	// no session.
	Image, Rootfs string
	// Entrypoint, where not nil, replaces the image's.
	Entrypoint *string
	// Kept keeps what the guest changes in its root; nil: it is kept in memory
	// and forgotten.
	Kept Kept

	// Storage is the most bytes that the guest may add to its root where nothing is
	// kept; zero is memfs's default. A Kept has a limit of its own.
	Storage int64

	// Kernel is a file, or what IsAlpineKernel says; empty is the kernel of the
	// root's release of Alpine, or of the latest one. These and the others are
	// files of the host.
	Kernel, Modules, Firmware, Initrd, Busybox string
	ModuleFiles                                []string // "FILE[ ARGS]"
	Volumes                                    []Volume

	// Warm has the machine go on from a kernel that has booted before, which is kept
	// in the user's cache folder, where Boot.Warm says that it may.
	Warm     bool
	patience time.Duration // how long to wait for another one who makes it

	// From, where not nil, is what the machine goes on from: Config's Memory and
	// Session, Image, Rootfs, Kernel, Modules and Busybox are what they were, and
	// Volumes has to share what was shared.
	From *alpinevm.Snapshot

	// Pull says when to ask the registry and the mirror; empty is Missing.
	Pull     store.Policy
	Fetching Fetching
	Mirror   Mirror
	Progress Progress
}

// Kept is a machine that stays between runs.
type Kept interface {
	// Image gives the image that the machine is made from. name is what was
	// named, "" where nothing was; file says that it is one.
	Image(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (KeptImage, error)
	// Adopt has the machine be made from the image of a snapshot. One that is not
	// new has to be.
	Adopt(ctx context.Context, s *store.Store, img *store.Image, was *Origin) error
	// Upper opens what the machine has changed. held, where not nil, is what was
	// frozen of it besides the folder.
	Upper(held *statefs.State) (Upper, error)
	// Fill makes it of what another machine has: see statefs.Create.
	Fill(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (Upper, error)
}

// KeptImage is the image of a machine that stays.
type KeptImage struct {
	*store.Image
	Called string // what people call it
	Source string // where it is fetched: a repository with a digest; "" for one that came from a file
	File   string // that file
	Plain  bool   // it was made of a root file system, so that it names no command
}

// Progress shows what takes time, below a title. finish ends the display. A nil
// Progress shows nothing.
type Progress func(title string) (p store.Progress, finish func())

func (p Progress) begin(title string) (store.Progress, func()) {
	if p == nil {
		return nil, func() {}
	}
	return p(title)
}

// Error is about a thing that a Spec names.
type Error struct {
	Field string // of the Spec: "Rootfs"
	Name  string // what it has: "root.tar"
	Err   error
}

// Error names both.
func (e *Error) Error() string { return e.Field + " " + e.Name + ": " + e.Err.Error() }

// Unwrap gives the error without the names.
func (e *Error) Unwrap() error { return e.Err }

// fault is an Error. An error of the host loses the name that its system call
// had, which may be another.
func fault(field, name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &Error{field, name, err}
}

// hasRoot tells whether there is a session on a root file system.
func (s *Spec) hasRoot() bool {
	return s.Image != "" || s.Rootfs != "" || s.Kept != nil || s.From != nil
}

// opening is a Spec on its way to a machine.
type opening struct {
	*Spec
	cfg    alpinevm.Config
	opened []io.Closer

	was           *Origin // of From
	img           found
	kernelVersion string // of Alpine's package
	ofPage        bool   // From is of a page's machine
}

// Open finds all that the Spec names and completes its Config. closeAll ends
// what has been opened, behind the machine's Close.
func (s *Spec) Open(ctx context.Context) (cfg *alpinevm.Config, closeAll func() error, err error) {
	o := &opening{Spec: s, cfg: s.Config}
	if s.hasRoot() {
		session := alpinevm.Session{}
		if s.Config.Session != nil {
			session = *s.Config.Session
			session.Env = slices.Clone(session.Env)
		}
		session.WriteThrough = session.WriteThrough || s.Storage > 0
		o.cfg.Session = &session
	}
	// The order matters: the image says what the session leaves open, the
	// resolver's files go into the root, and the root's release of Alpine
	// decides on the kernel.
	for _, step := range []func(context.Context) error{o.begin, o.files, o.root, o.modules, o.volumes, o.networkFiles, o.boots, o.warmUp, o.origin} {
		if err := step(ctx); err != nil {
			return nil, nil, errors.Join(err, o.close())
		}
	}
	return &o.cfg, o.close, nil
}

// keep has close close c.
func (o *opening) keep(c io.Closer) { o.opened = append(o.opened, c) }

// close closes what was opened, in that order.
func (o *opening) close() error {
	var err error
	for _, c := range o.opened {
		err = errors.Join(err, c.Close())
	}
	o.opened = nil
	return err
}

// modules opens the tree of the kernel's modules.
func (o *opening) modules(context.Context) (err error) {
	if o.Modules == "" {
		return nil
	}
	if o.cfg.Boot.Modules, err = o.tree("Modules", o.Modules); err == nil && (o.From == nil || o.From.Has(keptModules)) {
		err = o.holdShared(keptModules, o.cfg.Boot.Modules)
	}
	return err
}

// networkFiles puts the resolver's files into the root, which is ours to write.
// A machine that stays and has no room has them mounted: it is to run so that
// something can be removed.
func (o *opening) networkFiles(context.Context) error {
	if o.cfg.Network != nil {
		n := *o.cfg.Network
		o.cfg.Network = &n
	}
	if o.From != nil {
		return nil // they are there
	}
	err := imageconfig.PutNetworkFiles(&o.cfg)
	if o.Kept != nil && fs9p.IsFull(err) {
		return nil
	}
	return err
}

// policy is Pull.
func (o *opening) policy() (store.Policy, error) {
	if o.Pull == "" {
		return store.Missing, nil
	}
	return store.ParsePolicy(string(o.Pull))
}

// errNoCommand is of an image that names none.
var errNoCommand = errors.New("it names no command to run; give one behind the image")

// imageFault is an error about an image.
func imageFault(name string, err error) error { return fmt.Errorf("image %s: %w", name, err) }
