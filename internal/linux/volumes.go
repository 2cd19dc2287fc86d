package linux

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// Volume is a file system that the guest finds mounted at Target, an absolute
// name.
type Volume struct {
	FS       fs9p.FS
	Target   string
	ReadOnly bool
	// File mounts just this file of the top folder, at Target.
	File string
}

// Mount is how a guest mounts a session's volume i.
func (v Volume) Mount(i int) kernel.Mount {
	options := options9P(CacheShared)
	if v.ReadOnly {
		options += ",ro"
	}
	return kernel.Mount{Type: "9p", Source: volumeTag + strconv.Itoa(i), Target: v.Target, Options: options, File: v.File}
}

// placeVolumes gives the mounts of volumes, each at the place that its target
// leads to through symbolic links of the root and of the other volumes, in an
// order in which none hides another, and what the guest will see of all.
func placeVolumes(root fs.ReadLinkFS, volumes []Volume) ([]kernel.Mount, fs.ReadLinkFS, error) {
	places := make([]string, len(volumes)) // as io/fs has names
	seen := mounted{root: root}
	for round := 0; ; round++ {
		changed := false
		next := mounted{root, map[string]Volume{}}
		for i, v := range volumes {
			place, err := kernel.Resolve(seen.without(places[i]), v.Target)
			if place == "" {
				return nil, nil, fault(v, "%w", err)
			}
			if place == "." {
				return nil, nil, fault(v, "it is the root in the guest")
			}
			if other, taken := next.at[place]; taken {
				return nil, nil, fault(v, "it is /%s in the guest, as %s is", place, other.Target)
			}
			changed = changed || place != places[i]
			places[i], next.at[place] = place, v
		}
		if seen = next; !changed {
			break
		}
		if round > len(volumes) {
			return nil, nil, &FieldError{"Volumes", errors.New("the symbolic links in volumes lead each to where another one is mounted")}
		}
	}
	var mounts []kernel.Mount
	for i, v := range volumes {
		m := v.Mount(i)
		m.Target = "/" + places[i]
		mounts = append(mounts, m)
	}
	slices.SortStableFunc(mounts, func(a, b kernel.Mount) int {
		return cmp.Compare(strings.Count(a.Target, "/"), strings.Count(b.Target, "/"))
	})
	return mounts, seen, nil
}

func fault(v Volume, format string, args ...any) error {
	return &FieldError{"Volumes", fmt.Errorf("%s: "+format, append([]any{v.Target}, args...)...)}
}

// mounted is a root file system and what is mounted in it, by place.
type mounted struct {
	root fs.ReadLinkFS
	at   map[string]Volume
}

// without leaves out what is mounted at a place.
func (m mounted) without(place string) mounted {
	m.at = maps.Clone(m.at)
	delete(m.at, place)
	return m
}

// find gives the file system that a name is in, and its name there.
func (m mounted) find(name string) (fs.ReadLinkFS, string) {
	for at, rest := name, ""; ; {
		if v, ok := m.at[at]; ok {
			if v.File != "" {
				rest = v.File + rest
			}
			return fs9p.IOFS(v.FS), cmp.Or(strings.TrimPrefix(rest, "/"), ".")
		}
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			return m.root, name
		}
		at, rest = at[:i], at[i:]+rest
	}
}

// Open is part of fs.FS.
func (m mounted) Open(name string) (fs.File, error) {
	f, name := m.find(name)
	return f.Open(name)
}

// Lstat is part of fs.ReadLinkFS. The folders above what is mounted are made
// where they are missing, and tell of themselves what the root's does.
func (m mounted) Lstat(name string) (fs.FileInfo, error) {
	f, inner := m.find(name)
	info, err := f.Lstat(inner)
	if errors.Is(err, fs.ErrNotExist) {
		for at := range m.at {
			if strings.HasPrefix(at, name+"/") {
				return m.root.Lstat(".")
			}
		}
	}
	return info, err
}

// ReadLink is part of fs.ReadLinkFS.
func (m mounted) ReadLink(name string) (string, error) {
	f, name := m.find(name)
	return f.ReadLink(name)
}
