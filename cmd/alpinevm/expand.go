package main

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"alpinevm/internal/machines"
)

// expand turns flags that stand for others into these: --env-file, --mount, ranges
// of ports, and volumes that are kept by name.
func (f *runFlags) expand() error {
	if err := f.docker.check(); err != nil {
		return err
	}
	if f.cpus != "1" {
		if n, err := strconv.ParseFloat(f.cpus, 64); err != nil || n <= 0 || n > 1 {
			return fmt.Errorf("--cpus %s: a guest has one processor: leave it out", f.cpus)
		}
	}
	env, err := readEnvFiles(f.envFiles)
	if err != nil {
		return err
	}
	f.env, f.envFiles = append(env, f.env...), nil
	for _, m := range f.mounts {
		if err := f.mount(m); err != nil {
			return err
		}
	}
	f.mounts = nil
	for i, v := range f.volumes {
		var err error
		if f.volumes[i], err = f.keptVolume(v); err != nil {
			return err
		}
	}
	var ports []string
	for _, p := range f.network.publish {
		list, err := portRange(p)
		if err != nil {
			return err
		}
		ports = append(ports, list...)
	}
	f.network.publish = ports
	return nil
}

// readEnvFiles reads each --env-file.
func readEnvFiles(names []string) (env []string, err error) {
	for _, name := range names {
		list, err := readEnvFile(name)
		if err != nil {
			return nil, err
		}
		env = append(env, list...)
	}
	return env, nil
}

// readEnvFile reads lines NAME=VALUE, or NAME to pass the host's on, as docker does.
func readEnvFile(name string) ([]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--env-file %w", err)
	}
	defer file.Close()
	var list []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(strings.TrimPrefix(lines.Text(), "\ufeff"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if variable, _, _ := strings.Cut(line, "="); variable == "" || strings.ContainsAny(variable, " \t") {
			return nil, fmt.Errorf("--env-file %s, line %d: %q: want NAME=VALUE or NAME", name, n, line)
		}
		list = append(list, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--env-file %s: %w", name, err)
	}
	return list, nil
}

// mount reads docker's --mount: type=bind|volume|tmpfs,source=...,target=...,readonly.
func (f *runFlags) mount(s string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("--mount %s: %s; want type=bind,source=HOST,target=GUEST[,readonly], type=volume,source=NAME,target=GUEST or type=tmpfs,target=GUEST", s, fmt.Sprintf(format, args...))
	}
	kind, source, target, size, readOnly := "volume", "", "", "", false
	for field := range strings.SplitSeq(s, ",") {
		key, value, set := strings.Cut(field, "=")
		switch key {
		case "type":
			kind = value
		case "source", "src":
			source = value
		case "target", "destination", "dst":
			target = value
		case "tmpfs-size":
			size = value
		case "readonly", "ro":
			readOnly = !set || value == "true" || value == "1"
		case "consistency", "bind-propagation", "tmpfs-mode", "volume-nocopy": // they mean nothing here
		default:
			return bad("there is no field %q", key)
		}
	}
	if target == "" {
		return bad("it has no target")
	}
	switch kind {
	case "tmpfs":
		if size != "" {
			target += ":size=" + size
		}
		f.tmpfs = append(f.tmpfs, target)
		return nil
	case "bind":
		if !strings.ContainsAny(source, `/\`) {
			source = "./" + source
		}
	case "volume":
		if !machines.IsName(source) {
			return bad("%q is no name of a volume", source)
		}
	default:
		return bad("there is no type %q", kind)
	}
	v := source + ":" + target
	if readOnly {
		v += ":ro"
	}
	f.volumes = append(f.volumes, v)
	return nil
}

// keptVolume gives a volume that is kept by name, in place of a folder of the
// host, its folder, which is made. A name is one where nothing of the host has it.
func (f *runFlags) keptVolume(v string) (string, error) {
	name, rest, ok := strings.Cut(v, ":")
	if !ok || !machines.IsName(name) || strings.HasPrefix(rest, `\`) {
		return v, nil
	}
	if _, err := os.Lstat(name); err == nil {
		return v, nil
	}
	dir, release, err := machines.UseVolume(name)
	if err != nil {
		return "", fmt.Errorf("-v %s: %w", v, err)
	}
	f.named, f.namedDirs, f.release = append(f.named, name), append(f.namedDirs, dir), append(f.release, release)
	return dir + ":" + rest, nil
}

// portRange makes [IP:]8000-8002:80-82[/udp] several ports.
func portRange(s string) ([]string, error) {
	rest, proto, hasProto := strings.Cut(s, "/")
	if hasProto {
		proto = "/" + proto
	}
	host, guest := "", rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, guest = rest[:i], rest[i+1:]
	}
	if !strings.Contains(guest, "-") && !strings.Contains(host[strings.LastIndexByte(host, ':')+1:], "-") {
		return []string{s}, nil
	}
	ip := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		ip, host = host[:i+1], host[i+1:]
	}
	bad := func(why string) ([]string, error) {
		return nil, fmt.Errorf("port %q: %s; want a range such as 8000-8002:80-82", s, why)
	}
	first, last, ok := ports(guest)
	if !ok {
		return bad(fmt.Sprintf("%q is no range of ports", guest))
	}
	from, to := uint64(0), uint64(0)
	if host != "" {
		if from, to, ok = ports(host); !ok {
			return bad(fmt.Sprintf("%q is no range of ports", host))
		}
		if to-from != last-first {
			return bad("the two ranges are of different lengths")
		}
	}
	var list []string
	for i := range last - first + 1 {
		port := strconv.FormatUint(first+i, 10) + proto
		switch {
		case host != "":
			port = ip + strconv.FormatUint(from+i, 10) + ":" + port
		case ip != "":
			port = ip + ":" + port
		}
		list = append(list, port)
	}
	return list, nil
}

// ports reads a port, or two with a hyphen between.
func ports(s string) (first, last uint64, ok bool) {
	a, b, isRange := strings.Cut(s, "-")
	if !isRange {
		b = a
	}
	first, err := strconv.ParseUint(a, 10, 16)
	if err != nil || first == 0 {
		return 0, 0, false
	}
	last, err = strconv.ParseUint(b, 10, 16)
	return first, last, err == nil && first <= last
}

// parseTmpfs reads each --tmpfs: a place in the guest, and options of mount(8).
func parseTmpfs(flags []string) ([]tmpfsMount, error) {
	var list []tmpfsMount
	for _, s := range flags {
		target, options, _ := strings.Cut(s, ":")
		if !path.IsAbs(target) || path.Clean(target) == "/" {
			return nil, fmt.Errorf("--tmpfs %s: want an absolute place in the guest below its root, such as /tmp:size=64m", s)
		}
		if strings.ContainsAny(options, " \t\n") {
			return nil, fmt.Errorf("--tmpfs %s: want options of mount between commas, such as size=64m,mode=1777", s)
		}
		list = append(list, tmpfsMount{path.Clean(target), options})
	}
	return list, nil
}

// tmpfsMount is a file system in the guest's memory.
type tmpfsMount struct{ target, options string }

// isTmpfs tells whether a --mount is of a file system in the guest's memory.
func isTmpfs(mount string) bool { return slices.Contains(strings.Split(mount, ","), "type=tmpfs") }
