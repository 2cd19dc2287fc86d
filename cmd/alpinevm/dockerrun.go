package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/internal/machines"
)

// dockerFlags are flags of alpinevm run that are there since docker run has them.
type dockerFlags struct {
	labels, sysctls, dnsSearch []string
	cidFile, shmSize, restart  string
	storage                    string
	stopSignal                 string
	stopTimeout                int // seconds; negative: not given
}

func (d *dockerFlags) add(fl *pflag.FlagSet) {
	fl.StringArrayVarP(&d.labels, "label", "l", nil, "note `NAME[=VALUE]` of the machine: ps --filter label=NAME finds it, inspect shows it")
	fl.StringArrayVar(&d.sysctls, "sysctl", nil, "set a variable of the guest's kernel: `NAME=VALUE`, such as net.ipv4.ip_forward=1")
	fl.StringArrayVar(&d.dnsSearch, "dns-search", nil, "complete names in the guest with this `DOMAIN`, in place of the host's")
	fl.StringVar(&d.cidFile, "cidfile", "", "write the machine's name into this new `FILE`")
	fl.StringVar(&d.shmSize, "shm-size", "", "let the guest's /dev/shm take this `SIZE` of its memory")
	fl.StringVar(&d.storage, "storage", "", "let what the guest adds to its root take up to `SIZE`, and each volume that is kept by name as much; other folders that are shared have what the host's disk has")
	fl.StringVar(&d.stopSignal, "stop-signal", "", "ask the command to end by this `SIGNAL` (default the image's, else TERM)")
	fl.IntVar(&d.stopTimeout, "stop-timeout", -1, "`SECONDS` that the command has then (default 10)")
	fl.StringVar(&d.restart, "restart", "no", "start the machine again at its end: no (for docker's users)")
	accepted(fl, "privileged")
	for _, name := range []string{"cap-add", "expose"} { // what they allow or tell is so
		fl.StringArray(name, nil, "always so; for docker's users")
		fl.MarkHidden(name)
	}
}

// otherNames are docker's older names of flags.
func otherNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "net":
		name = "network"
	case "dns-opt":
		name = "dns-option"
	}
	return pflag.NormalizedName(name)
}

// check refuses values that mean nothing.
func (d *dockerFlags) check() error {
	if d.restart != "" && d.restart != "no" {
		return fmt.Errorf("--restart %s: leave it out: %s; alpinevm start, or the host's init, starts a machine again", d.restart, noDaemon)
	}
	if _, err := d.signal(""); err != nil {
		return fmt.Errorf("--stop-signal: %w", err)
	}
	if _, err := d.limit(); err != nil {
		return err
	}
	if d.shmSize != "" {
		if _, err := parseSize("--shm-size", d.shmSize); err != nil {
			return err
		}
	}
	for _, s := range d.sysctls {
		if !sysctl().MatchString(s) {
			return fmt.Errorf("--sysctl %q: want NAME=VALUE, such as net.ipv4.ip_forward=1", s)
		}
	}
	for _, l := range d.labels {
		if strings.HasPrefix(l, "=") || l == "" {
			return fmt.Errorf("--label %q: want NAME or NAME=VALUE", l)
		}
	}
	return nil
}

// sysctl is what Linux takes on its command line (Documentation/admin-guide,
// kernel-parameters, "sysctl.*=").
var sysctl = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_./-]+=[^\s"]+$`) })

// words are what the kernel's command line gets.
func (d *dockerFlags) words() string {
	var words []string
	for _, s := range d.sysctls {
		words = append(words, "sysctl."+s)
	}
	return strings.Join(words, " ")
}

// labelMap gives the labels by name.
func (d *dockerFlags) labelMap() map[string]string {
	if len(d.labels) == 0 {
		return nil
	}
	labels := map[string]string{}
	for _, l := range d.labels {
		name, value, _ := strings.Cut(l, "=")
		labels[name] = value
	}
	return labels
}

// signal is what asks the command to end: what the flag says, else the image, else
// TERM.
func (d *dockerFlags) signal(image string) (int, error) {
	switch {
	case d.stopSignal != "":
		return parseSignal(d.stopSignal)
	case image != "":
		if n, err := parseSignal(image); err == nil {
			return n, nil
		}
	}
	return parseSignal("TERM")
}

// minStorage is the least that a guest can do something with.
const minStorage = 1 << 20

// limit is --storage in bytes; 0: there is none.
func (d *dockerFlags) limit() (int64, error) {
	if d.storage == "" {
		return 0, nil
	}
	n, err := parseSize("--storage", d.storage)
	if err == nil && n < minStorage {
		err = fmt.Errorf("--storage %s: want %dM or more", d.storage, minStorage>>20)
	}
	return n, err
}

// patience is how long the command has to end.
func (d *dockerFlags) patience() time.Duration {
	if d.stopTimeout < 0 {
		return programGrace
	}
	return time.Duration(d.stopTimeout) * time.Second
}

// stop has w ask the session's program to end as the flags say, which were checked.
func (d *dockerFlags) stop(w *watch, s *alpinevm.Session) {
	w.programGrace = d.patience()
	if s != nil {
		w.stopSignal, _ = d.signal(s.StopSignal)
	}
}

// writeCIDFile notes the machine's name, once; live is nil where it has no socket.
func (d *dockerFlags) writeCIDFile(live *machines.Live) error {
	if d.cidFile == "" || live == nil {
		return nil
	}
	f, err := os.OpenFile(d.cidFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("--cidfile %s: it is there already; remove it once its machine has ended", d.cidFile)
	}
	if err != nil {
		return fmt.Errorf("--cidfile %w", err)
	}
	_, err = f.WriteString(live.About.Name)
	return errors.Join(err, f.Close())
}

// fileEndings are how files are called that are no images of a registry, and what to
// do with them.
var fileEndings = []struct{ endings, hint string }{
	{".img .iso .qcow2 .raw .vdi .vmdk .vhd .vhdx", "there are no drives: --rootfs takes a tarball, an archive of docker save, an OCI layout or a folder"},
	{".tar .tar.gz .tgz .tar.xz .tar.zst .tar.bz2 .cpio", "a file is given by --rootfs FILE, or --initrd FILE"},
	{"vmlinuz bzImage .elf", "a kernel is given by --kernel FILE"},
}

// fileAsImage refuses a file in place of an image's name.
func fileAsImage(name string) error {
	if name == "" || strings.ContainsAny(name[1:], ":@") {
		return nil
	}
	for _, f := range fileEndings {
		if slices.ContainsFunc(strings.Fields(f.endings), func(end string) bool { return strings.HasSuffix(name, end) }) {
			return fmt.Errorf("%s is no name of an image: %s", name, f.hint)
		}
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") {
		return fmt.Errorf("%s is no name of an image: --rootfs takes a folder, a tarball, an archive of docker save or an OCI layout", name)
	}
	return nil
}

// pass has a machine that is not kept go by the name that was given.
func (f *runFlags) pass() error {
	if f.name == "" || !f.remove {
		return nil
	}
	if f.salvage {
		return errors.New("--salvage mends a machine that is kept: leave out --rm")
	}
	if _, err := machines.Find(f.name); err == nil {
		return fmt.Errorf("--rm: machine %s is kept; alpinevm rm %s removes it, or choose another --name", f.name, f.name)
	}
	f.passing, f.name = f.name, ""
	return nil
}
