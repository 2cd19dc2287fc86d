package main

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"alpinevm"
	"alpinevm/launch"
)

// parseSize reads a size as docker writes it: 512m, 1g, 524288k, or bytes. A
// plain number below 1,048,576 counts MiB, as qemu's -m does.
func parseSize(what, s string) (int64, error) {
	num := strings.TrimRight(strings.ToLower(s), "ib")
	shift := 0
	if num != "" {
		switch num[len(num)-1] {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		}
	}
	if shift != 0 {
		num = num[:len(num)-1]
	}
	n, err := strconv.ParseInt(num, 10, 40)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s %q: want a size such as 512M or 1G", what, s)
	}
	if shift == 0 && n < 1<<20 {
		shift = 20
	}
	return n << shift, nil
}

// parseMemory reads the size of a guest's memory.
func parseMemory(s string) (int64, error) {
	n, err := parseSize("memory", s)
	if err != nil {
		return 0, err
	}
	if n < alpinevm.MinMemory || n > alpinevm.MaxMemory {
		return 0, fmt.Errorf("memory %q: want %dM to %dG", s, alpinevm.MinMemory>>20, alpinevm.MaxMemory>>30)
	}
	return n &^ (1<<20 - 1), nil
}

// volumeOptions are what may follow a volume's paths. Those but the first two
// ask docker and podman for what has no meaning here.
const volumeOptions = "ro rw z Z cached delegated consistent"

// parseVolume reads host:guest[:options]. A host path may hold a drive letter.
func parseVolume(s string) (launch.Volume, error) {
	bad := func(why string) (launch.Volume, error) {
		return launch.Volume{}, fmt.Errorf("volume %q: %s; want HOST:GUEST or HOST:GUEST:ro", s, why)
	}
	rest := s
	var v launch.Volume
	if i := strings.LastIndexByte(rest, ':'); i > 0 && !strings.Contains(rest[i:], "/") && strings.Contains(rest[:i], ":/") {
		for option := range strings.SplitSeq(rest[i+1:], ",") {
			if !slices.Contains(strings.Fields(volumeOptions), option) {
				return bad(fmt.Sprintf("there is no option %q", option))
			}
			v.ReadOnly = v.ReadOnly || option == "ro"
		}
		rest = rest[:i]
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 1 {
		return bad("no guest path")
	}
	v.Host, v.Guest = rest[:i], rest[i+1:]
	if !path.IsAbs(v.Guest) {
		return bad("the guest path is not absolute")
	}
	v.Guest = path.Clean(v.Guest)
	if v.Guest == "/" {
		return bad("the guest path is the root")
	}
	return v, nil
}

// parseVolumes reads each -v.
func parseVolumes(flags []string) ([]launch.Volume, error) {
	var list []launch.Volume
	for _, s := range flags {
		v, err := parseVolume(s)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// parseEnvs reads each -e; those that pass on what the host does not have are
// left out.
func parseEnvs(flags []string, lookup func(string) (string, bool)) ([]string, error) {
	var list []string
	for _, s := range flags {
		e, ok, err := parseEnv(s, lookup)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// parseEnv completes NAME by the host's value, as docker does.
func parseEnv(s string, lookup func(string) (string, bool)) (env string, ok bool, err error) {
	name, _, set := strings.Cut(s, "=")
	if name == "" || strings.ContainsRune(s, 0) {
		return "", false, fmt.Errorf("environment %q: want NAME=value or NAME", s)
	}
	if set {
		return s, true, nil
	}
	v, ok := lookup(name)
	return name + "=" + v, ok, nil
}
