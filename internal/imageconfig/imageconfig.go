// Package imageconfig turns the configuration of an OCI image (image-spec 1.1,
// config.md) into that of a machine, and puts into the guest's root what has to
// be there before it starts. It knows no network and no host, so that a browser
// can do the same.
package imageconfig

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm"
	"alpinevm/fs9p"
)

// Apply lets an image's configuration say what a session leaves open.
// entrypoint, where not nil, replaces the image's.
func Apply(s *alpinevm.Session, c v1.Config, entrypoint *string) {
	if s.User == "" {
		s.User = c.User
	}
	if s.Dir == "" {
		s.Dir = c.WorkingDir
	}
	if s.StopSignal == "" {
		s.StopSignal = c.StopSignal
	}
	env := slices.DeleteFunc(slices.Clone(c.Env), func(e string) bool { return strings.IndexByte(e, '=') < 1 })
	s.Env = append(env, s.Env...)
	if !s.Init && !s.Idle {
		s.Args = command(c, entrypoint, s.Args)
	}
}

// command is what docker would run: the entry point with the arguments or, if
// there are none, with CMD. Another entry point leaves out CMD.
func command(c v1.Config, entrypoint *string, args []string) []string {
	entry, cmd := c.Entrypoint, c.Cmd
	if entrypoint != nil {
		entry, cmd = nil, nil
		if *entrypoint != "" {
			entry = []string{*entrypoint}
		}
	}
	if len(args) > 0 {
		cmd = args
	}
	return slices.Concat(entry, cmd)
}

// MakeVolumes makes the folders that an image declares as volumes, where they
// are not in the root.
func MakeVolumes(root fs9p.FS, c v1.Config) error {
	for v := range c.Volumes {
		name := path.Clean("/" + v)
		if _, err := fs.Stat(fs9p.IOFS(root), strings.TrimPrefix(name, "/")); err == nil || name == "/" {
			continue
		}
		n, err := fs9p.MakeFolders(root, v)
		if err != nil {
			return fmt.Errorf("its volume %q: %w", v, err)
		}
		n.Release()
	}
	return nil
}

// PutNetworkFiles writes the resolver's files into the guest's root, where
// programs in the guest can replace them. The root must be one that may be
// written to.
func PutNetworkFiles(cfg *alpinevm.Config) error {
	if cfg.Network == nil || cfg.Session == nil {
		return nil
	}
	for _, f := range cfg.Network.Files(cfg.Hostname) {
		if err := fs9p.WriteFile(cfg.Session.Root, f.Name, f.Data, f.Mode); err != nil {
			return fmt.Errorf("the root's %s: %w", f.Name, err)
		}
	}
	cfg.Network.FilesInRoot = true
	return nil
}
