package kernel

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
)

// guestScripts are the parts of the initramfs that are the same in every guest.
//
//go:embed guest
var guestScripts embed.FS

// scripts are the names of the guestScripts and their modes.
var scripts = [...]struct {
	name, source string
	mode         uint32
}{
	{"/init", "guest/init", 0o755},
	{"/session", "guest/session", 0o755},
	{"/down", "guest/down", 0o755},
	{"/survivors", "guest/survivors", 0o644},
	{"/sbin/modprobe", "guest/modprobe", 0o755},
}

// links are what udev would make in /dev.
var links = [...][2]string{{"fd", "/proc/self/fd"}, {"stdin", "fd/0"}, {"stdout", "fd/1"}, {"stderr", "fd/2"}, {"core", "/proc/kcore"}}

// Places in the initramfs.
const (
	sysroot   = "/sysroot" // the real root
	replaced  = "/files"   // contents of Files, by number
	volumes   = "/volumes" // 9p devices of which only a file is mounted, by number
	terminals = "hvc0 ttyS0"
)

// Build makes the archive, a cpio file in the newc form. It depends on the tools, the modules and CtlMsize alone; Setup has the rest.
func (r *Initramfs) Build() ([]byte, error) {
	if len(r.Tools.Busybox) == 0 {
		return nil, fmt.Errorf("initramfs: %w: none is given", ErrTools)
	}
	var c CPIO
	for _, dir := range []string{"/proc", "/ctl", "/etc", "/dev", "/tmp", sysroot} {
		c.Dir(dir)
	}
	c.CharDevice("/dev/console", 0o600, 5, 1)
	c.CharDevice("/dev/null", 0o666, 1, 3)
	c.File("/bin/busybox", 0o755, r.Tools.Busybox)
	for _, a := range applets {
		c.Symlink("/bin/"+a, "busybox")
	}
	for _, w := range wishes {
		c.Symlink("/bin/"+w, "busybox")
	}
	for name, data := range r.Tools.Loader {
		c.File(name, 0o755, data)
	}
	for _, s := range scripts {
		data, err := guestScripts.ReadFile(s.source)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		c.File(s.name, s.mode, data)
	}
	for _, l := range links {
		c.Symlink("/links/"+l[0], l[1])
	}
	r.addModules(&c)
	c.File("/boot", 0o644, []byte(r.boot()))
	c.File("/serve", 0o755, serve())
	return c.Bytes()
}

// Setup gives what the guest finds in the folder CtlSetup of the control file system: /config, variables for its scripts, and programs. /start
// makes what the session finds, /enter becomes the session's program, /close gives the guest's files back, and /off switches the machine off
// besides. root is the guest's root file system, in which the symbolic links in names are followed; nil: there are none.
func (r *Initramfs) Setup(root fs.FS) ([]GuestFile, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	list := []GuestFile{{"/config", 0o444, []byte(r.config())}, {"/start", 0o500, r.start(root)}}
	if r.Init {
		return list, nil
	}
	enter := idle
	if !r.Idle {
		enter = func() []byte { return r.Program.enter(r.workDir(root), (*caller).enters) }
	}
	return append(list, GuestFile{"/enter", 0o500, enter()}, GuestFile{"/close", 0o500, r.closing(root, false)}, GuestFile{"/off", 0o500, r.closing(root, true)}), nil
}

// boot is the shell script with the variables that guest/init needs before it has the others.
func (r *Initramfs) boot() string {
	var modules []string
	for _, m := range r.Modules {
		modules = append(modules, m.Name)
	}
	return fmt.Sprintf("MODULES=%s\nCTL=%s\n", quote(strings.Join(modules, " ")), quote(fstabField(Options9P(r.CtlMsize, "none"))))
}

var hostnamePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$`) })

// ValidHostname tells whether a guest can have the name.
func ValidHostname(name string) bool { return hostnamePattern().MatchString(name) }

// validate refuses what the scripts cannot express.
func (r *Initramfs) validate() error {
	if !ValidHostname(r.Hostname) {
		return fmt.Errorf("bad host name %q", r.Hostname)
	}
	if len(r.Program.Args) == 0 && !r.Init {
		return fmt.Errorf("no program to run")
	}
	if len(r.Program.Groups) > MaxGroups {
		return fmt.Errorf("%d groups: a program has at most %d", len(r.Program.Groups), MaxGroups)
	}
	for _, e := range r.Program.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("bad environment variable %q", e)
		}
	}
	names := []string{r.Program.Dir}
	for _, m := range r.Mounts {
		names = append(names, m.Target)
	}
	for _, f := range r.Files {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if name != "" && !path.IsAbs(name) {
			return fmt.Errorf("%q is not an absolute name in the guest", name)
		}
	}
	for _, text := range append(append(names, r.Program.Args...), r.Program.Env...) {
		if strings.ContainsRune(text, 0) {
			return fmt.Errorf("%q contains a zero byte", text)
		}
	}
	return nil
}

// quote makes text one word of a shell script.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fstabField writes a field of fstab as getmntent(3) reads it.
func fstabField(text string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(text)
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// config is the shell script with the variables that the guest's scripts want.
func (r *Initramfs) config() string {
	return fmt.Sprintf("TTY=%s\nINIT=%s\nMERGED=%s\nIDLE=%s\n", flag(r.TTY), flag(r.Init), flag(r.Merged), flag(r.Idle))
}

// addModules adds the modules and what modprobe wants to know of them. They come without their signatures, whose check takes 20 million
// instructions a module; a kernel that insists on signatures gets them put back by guest/init.
func (r *Initramfs) addModules(c *CPIO) {
	if len(r.Modules) == 0 {
		return
	}
	dir := "/lib/modules/" + r.Release
	var dep strings.Builder
	for _, m := range r.Modules {
		c.File(path.Join(dir, m.path()), 0o644, m.Data)
		if len(m.Signature) > 0 {
			c.File(path.Join(dir, m.path()+".sig"), 0o644, m.Signature)
		}
		dep.WriteString(m.path() + ":")
		for i := len(m.Deps) - 1; i >= 0; i-- { // what is loaded first comes last
			dep.WriteString(" " + ModuleFile{Name: m.Deps[i]}.path())
		}
		dep.WriteByte('\n')
	}
	c.File(dir+"/modules.dep", 0o644, []byte(dep.String()))
}

// inRoot is the place in the initramfs of a name in the guest.
func inRoot(root fs.FS, name string) string {
	if root != nil {
		// A name that does not exist yet is resolved as far as it does.
		if at, _ := Resolve(root, strings.TrimPrefix(path.Clean(name), "/")); at != "" {
			name = at
		}
	}
	return path.Join(sysroot, name)
}

// workDir is the working folder of the session's program, as the guest has it.
func (r *Initramfs) workDir(root fs.FS) string {
	if r.Program.Dir == "" {
		return "/"
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(inRoot(root, r.Program.Dir), sysroot), "/")
}
