package main

import (
	"os"
	"path/filepath"

	"alpinevm"
	"alpinevm/internal/confine"
	"alpinevm/launch"
)

// moreVolumes are volumes that a test adds: one that is a hole.
var moreVolumes func() []alpinevm.Volume

// resolverFiles are what names are looked up by.
var resolverFiles = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"}

// asRoot is for who sits at the terminal; others ask doctor.
const asRoot = "as root: better run it as another user, who has less that a guest could get at"

// confine takes from this process what the machine, which is about to run, has
// no use for. What the host has not got is left out; doctor names it.
func (f *runFlags) confine(network bool, note func(format string, args ...any)) {
	if f.noConfine {
		if os.Geteuid() == 0 {
			note("as root and with --no-confine: whoever gets out of the guest is root on the host")
		}
		return
	}
	layers := confine.Apply(f.needs(network))
	possible := confine.Probe()
	for i, l := range layers {
		if l.Err != nil && possible[i].Err == nil {
			note("not confined by %s: %s", l.Name, l.Err)
		}
	}
	switch {
	case os.Geteuid() != 0:
	case !confine.Holds(layers):
		note("as root, and this host does not hold us as it could (alpinevm doctor): better run it as another user")
	case interactive():
		note(asRoot)
	}
}

// needs is what a running machine needs of the host.
func (f *runFlags) needs(network bool) confine.Config {
	c := confine.Config{Network: network}
	volumes, _ := parseVolumes(f.volumes) // which have been parsed before
	for _, v := range volumes {
		if name, err := filepath.EvalSymlinks(v.Host); err == nil {
			c.Shares = append(c.Shares, confine.Share{Path: absolute(name), ReadOnly: v.ReadOnly, File: !isFolder(name)})
		}
	}
	folders := []string{f.modules, f.rootfs}
	if f.from != nil {
		folders = []string{f.from.was.Modules, f.from.was.Rootfs}
	}
	for _, name := range folders {
		if isFolder(name) {
			c.Read = append(c.Read, absolute(name))
		}
	}
	if f.machine != nil {
		c.Keep = append(c.Keep, f.machine.Dir())
	}
	if dir, err := launch.CacheDir("images"); err == nil {
		c.Read = append(c.Read, dir)
	}
	if network {
		c.Read = append(c.Read, resolver()...)
	}
	return c
}

// resolver is what is read to look up names while the machine runs. A file that
// is replaced is another one: it is seen where it is in a folder of its own, to
// which /etc has a symbolic link, by users who may read nothing special in /etc, and
// by root's lookout.
func resolver() []string {
	list := resolverFiles
	for _, name := range resolverFiles {
		if target, err := filepath.EvalSymlinks(name); err == nil && filepath.Dir(target) != filepath.Dir(name) {
			list = append(list[:len(list):len(list)], filepath.Dir(target))
		}
	}
	if os.Geteuid() != 0 {
		list = append(list[:len(list):len(list)], "/etc")
	}
	return list
}

// absolute makes a name independent of the folder that we are in.
func absolute(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
