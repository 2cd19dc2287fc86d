package confine

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// step makes one layer hold, for all threads.
type step struct {
	name  string
	apply func(Config) error
	probe func() error
}

// steps in their order: the filter of system calls would refuse the others.
var steps = []step{
	{"no_new_privs", func(Config) error { return noNewPrivs() }, func() error { return nil }},
	{"no core files", func(Config) error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }, func() error { return nil }},
	{"capabilities", func(Config) error { return dropCapabilities() }, func() error { return nil }},
	{"Landlock", restrictFiles, probeLandlock},
	{"seccomp", filterCalls, probeSeccomp},
}

// Apply confines the process, for good, and tells what holds.
func Apply(c Config) []Layer {
	// What the standard library would read of the host later is read now, or in
	// a way that needs no more.
	_, _ = time.Now().Local().Zone()
	net.DefaultResolver.PreferGo = true
	var layers []Layer
	for _, s := range steps {
		layers = append(layers, Layer{s.name, s.apply(c)})
	}
	return layers
}

// Probe tells what Apply would do.
func Probe() []Layer {
	var layers []Layer
	for _, s := range steps {
		layers = append(layers, Layer{s.name, s.probe()})
	}
	return layers
}

func isDir(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && fi.IsDir()
}

// exists leaves out what is not there.
func exists(names []string) []string {
	var list []string
	for _, name := range names {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			list = append(list, name)
		}
	}
	return list
}
