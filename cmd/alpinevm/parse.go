package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"alpinevm"
)

// parseMemory reads a size as docker writes it: 512m, 1g, 524288k, or bytes.
// A plain number below 1,048,576 counts MiB, as qemu's -m does.
func parseMemory(s string) (int64, error) {
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
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("memory %q: want a size such as 512M or 1G", s)
	}
	if shift == 0 && n < 1<<20 {
		shift = 20
	}
	n <<= shift
	if n < alpinevm.MinMemory || n > alpinevm.MaxMemory {
		return 0, fmt.Errorf("memory %q: want %dM to %dG", s, alpinevm.MinMemory>>20, alpinevm.MaxMemory>>30)
	}
	return n &^ (1<<20 - 1), nil
}

// volumeFlag is one -v.
type volumeFlag struct {
	host, guest string
	readOnly    bool
}

// volumeOptions are what may follow a volume's paths. Those but the first two
// ask docker and podman for what has no meaning here.
const volumeOptions = "ro rw z Z cached delegated consistent"

// parseVolume reads host:guest[:options]. A host path may hold a drive letter.
func parseVolume(s string) (volumeFlag, error) {
	bad := func(why string) (volumeFlag, error) {
		return volumeFlag{}, fmt.Errorf("volume %q: %s; want HOST:GUEST or HOST:GUEST:ro", s, why)
	}
	rest := s
	var v volumeFlag
	if i := strings.LastIndexByte(rest, ':'); i > 0 && !strings.Contains(rest[i:], "/") && strings.Contains(rest[:i], ":/") {
		for option := range strings.SplitSeq(rest[i+1:], ",") {
			if !slices.Contains(strings.Fields(volumeOptions), option) {
				return bad(fmt.Sprintf("there is no option %q", option))
			}
			v.readOnly = v.readOnly || option == "ro"
		}
		rest = rest[:i]
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 1 {
		return bad("no guest path")
	}
	v.host, v.guest = rest[:i], rest[i+1:]
	if !path.IsAbs(v.guest) {
		return bad("the guest path is not absolute")
	}
	v.guest = path.Clean(v.guest)
	if v.guest == "/" {
		return bad("the guest path is the root")
	}
	return v, nil
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
