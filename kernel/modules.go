package kernel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Modules is a kernel's modules folder: the one that the guest sees as /lib/modules/RELEASE.
type Modules struct {
	FS      fs.FS  // the folder itself, with "kernel" and "modules.dep" in it
	Dir     string // the folder in the file system given to OpenModules, "." for its root
	Release string // of the kernel that the modules are for

	files   []string            // all modules, in lexical order
	stamps  map[string]stamp    // of the files, where there is no modules.dep
	byName  map[string]string   // normal name: file
	builtin map[string]bool     // normal names
	deps    map[string][]string // file: the files it needs, as modules.dep has them; nil without a modules.dep
}

// stamp tells a file from what stood in its place before.
type stamp struct{ size, modified int64 }

// ErrNoModules says that a folder holds no modules for a kernel.
var ErrNoModules = errors.New("no modules")

// OpenModules finds the modules of the kernel with the given release in fsys: at its root or, as packages and distributions have
// them, in RELEASE, modules/RELEASE, lib/modules/RELEASE or usr/lib/modules/RELEASE.
func OpenModules(fsys fs.FS, release string) (*Modules, error) {
	for _, dir := range []string{release, "modules/" + release, "lib/modules/" + release, "usr/lib/modules/" + release, "."} {
		if release == "" && dir != "." {
			continue
		}
		sub, err := fs.Sub(fsys, dir)
		if err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
		m := &Modules{FS: sub, Dir: dir, Release: release, stamps: map[string]stamp{}, byName: map[string]string{}, builtin: map[string]bool{}}
		if err := m.scan(); err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
		if len(m.files) > 0 {
			return m, m.check()
		}
	}
	return nil, fmt.Errorf("%w for kernel %q: neither the folder itself nor lib/modules/%s in it holds any", ErrNoModules, release, release)
}

// scan lists the modules and reads modules.builtin and modules.dep.
func (m *Modules) scan() error {
	root := "kernel"
	if _, err := fs.Stat(m.FS, root); err != nil {
		root = "." // modules laid out by hand
		if entries, err := fs.ReadDir(m.FS, root); err != nil || !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
			_, ok := moduleName(e.Name())
			return ok || strings.HasPrefix(e.Name(), "modules.")
		}) {
			return nil
		}
	}
	dep, err := readFile(m.FS, "modules.dep", maxList)
	if errors.Is(err, errTooLarge) {
		return err
	}
	indexed := err == nil
	if err := m.list(root, !indexed); err != nil {
		return err
	}
	for _, extra := range []string{"updates", "extra"} { // they come before the kernel's own, as depmod.d(5) has it
		if err := m.list(extra, !indexed); errors.Is(err, errTooMany) {
			return err
		}
	}
	if data, err := readFile(m.FS, "modules.builtin", maxList); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, ok := moduleName(strings.TrimSpace(line)); ok {
				m.builtin[name] = true
			}
		}
	}
	if indexed {
		m.deps = m.parseDep(dep)
	}
	return nil
}

// list adds the modules below a folder, with their stamps if these are wanted: a folder of the host tells them as it lists its files.
func (m *Modules) list(folder string, stamps bool) error {
	return fs.WalkDir(m.FS, folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := moduleName(file); ok && d.Type()&^fs.ModeSymlink == 0 {
			m.files = append(m.files, file)
			m.byName[name] = file
			if stamps {
				if m.stamps[file], err = m.stampOf(file, d); err != nil {
					return err
				}
			}
		}
		if len(m.files) > maxModules {
			return fmt.Errorf("%w: %d", errTooMany, len(m.files))
		}
		return nil
	})
}

func (m *Modules) stampOf(file string, d fs.DirEntry) (stamp, error) {
	info, err := d.Info()
	if err == nil && !info.Mode().IsRegular() { // a link to a module
		info, err = fs.Stat(m.FS, file)
	}
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime().UnixNano()}, nil
}

// parseDep reads modules.dep: "file: needed-file needed-file", of the files that are there.
func (m *Modules) parseDep(data []byte) map[string][]string {
	deps := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		file, rest, ok := strings.Cut(line, ":")
		file = strings.TrimSpace(file)
		if name, is := moduleName(file); ok && is && m.byName[name] != "" {
			deps[file] = strings.Fields(rest)
		}
	}
	return deps
}

// check compares the release that a module states with that of the kernel.
func (m *Modules) check() error {
	info, err := readModinfo(m.FS, m.files[0])
	if err != nil {
		return fmt.Errorf("modules: %w", err)
	}
	if m.Release == "" {
		m.Release = info.release
	}
	if info.release != m.Release {
		return fmt.Errorf("the modules are for kernel %q, but the kernel is %q", info.release, m.Release)
	}
	return nil
}

// Has tells whether the kernel has a driver, built in or as a module.
func (m *Modules) Has(driver string) bool {
	name := normalName(driver)
	_, ok := m.byName[name]
	return ok || m.builtin[name]
}

// ModuleFile is a module, uncompressed.
type ModuleFile struct {
	Name      string   // normal name
	Deps      []string // normal names of the modules that it needs, directly or not, in the order in which they are loaded
	Data      []byte   // the ELF file alone
	Signature []byte   // what follows it in a signed module
}

// Load returns the modules that make the named drivers work, each after those that it needs. Drivers that are built in need none. A driver
// that the kernel does not have, or that needs a module that is not there, is an error that names it.
func (m *Modules) Load(drivers ...string) ([]ModuleFile, error) {
	var order []string // files
	for _, driver := range drivers {
		name := normalName(driver)
		file, ok := m.byName[name]
		if !ok {
			if m.builtin[name] {
				continue
			}
			return nil, fmt.Errorf("kernel %s has no driver %s: it is neither built in nor among its modules", m.Release, driver)
		}
		files, err := m.closure(file)
		if err != nil {
			return nil, err
		}
		for _, f := range append(files, file) {
			if !slices.Contains(order, f) {
				order = append(order, f)
			}
		}
	}
	loaded := make([]ModuleFile, 0, len(order))
	for _, file := range order {
		data, err := readModule(m.FS, file)
		if err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
		name, _ := moduleName(file)
		files, err := m.closure(file)
		if err != nil {
			return nil, err
		}
		mf := ModuleFile{Name: name}
		mf.Data, mf.Signature = splitSignature(data)
		for _, f := range files {
			dep, _ := moduleName(f)
			mf.Deps = append(mf.Deps, dep)
		}
		loaded = append(loaded, mf)
	}
	return loaded, nil
}

// closure lists the files that a module needs, each after those that it needs itself.
func (m *Modules) closure(file string) ([]string, error) {
	if deps, ok := m.deps[file]; ok {
		// modules.dep lists everything, what is loaded first last.
		files := slices.Clone(deps)
		slices.Reverse(files)
		for _, f := range files {
			name, ok := moduleName(f)
			if at, there := m.byName[name]; !ok || !there || at != f {
				return nil, fmt.Errorf("modules: %s needs %s, which is not there", file, f)
			}
		}
		return files, nil
	}
	var order []string
	state := map[string]bool{file: false} // false: being visited
	var visit func(file string) error
	visit = func(file string) error {
		info, err := readModinfo(m.FS, file)
		if err != nil {
			return fmt.Errorf("modules: %w", err)
		}
		for _, dep := range info.depends {
			f, ok := m.byName[dep]
			if !ok {
				if m.builtin[dep] {
					continue
				}
				return fmt.Errorf("modules: %s needs %s, which is neither built in nor among the modules", file, dep)
			}
			if done, seen := state[f]; seen {
				if !done {
					return fmt.Errorf("modules: %s and %s need each other", file, f)
				}
				continue
			}
			state[f] = false
			if err := visit(f); err != nil {
				return err
			}
			order = append(order, f)
		}
		state[file] = true
		return nil
	}
	return order, visit(file)
}

// Index makes what depmod makes and the folder lacks: modules.dep, modules.alias and modules.softdep, by file name; nothing where there
// is a modules.dep. Reading thousands of modules takes a while, so the result goes through the cache, which may be nil.
func (m *Modules) Index(cache Cache) (map[string][]byte, error) {
	if m.deps != nil {
		return nil, nil
	}
	names := [...]string{"modules.dep", "modules.alias", "modules.softdep"}
	var key string
	if cache != nil {
		h := sha256.New()
		fmt.Fprintln(h, m.Release)
		for _, file := range m.files {
			fmt.Fprintln(h, file, m.stamps[file].size, m.stamps[file].modified)
		}
		key = "depmod-" + hex.EncodeToString(h.Sum(nil))
		out := map[string][]byte{}
		for _, name := range names {
			if data, ok := cache.Load(key + "-" + name); ok {
				out[name] = data
			}
		}
		if len(out) == len(names) {
			return out, nil
		}
	}
	out, err := m.depmod()
	if err == nil && cache != nil {
		for _, name := range names {
			cache.Store(key+"-"+name, out[name])
		}
	}
	return out, err
}

func (m *Modules) depmod() (map[string][]byte, error) {
	infos := make(map[string]modinfo, len(m.files))
	for _, file := range m.files {
		info, err := readModinfo(m.FS, file)
		if err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
		infos[file] = info
	}
	var dep, alias, soft bytes.Buffer
	for _, file := range m.files {
		var order []string
		seen := map[string]bool{file: true}
		var visit func(file string)
		visit = func(file string) {
			for _, name := range infos[file].depends {
				if f, ok := m.byName[name]; ok && !seen[f] {
					seen[f] = true
					visit(f)
					order = append(order, f)
				}
			}
		}
		visit(file)
		dep.WriteString(file + ":")
		for _, f := range slices.Backward(order) {
			dep.WriteString(" " + f)
		}
		dep.WriteByte('\n')
		if dep.Len() > maxList {
			return nil, fmt.Errorf("modules: %w: they need each other %d MiB long", errTooMany, maxList>>20)
		}
		name, _ := moduleName(file)
		for _, a := range infos[file].aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, name)
		}
		for _, s := range infos[file].softdeps {
			fmt.Fprintf(&soft, "softdep %s %s\n", name, s)
		}
	}
	return map[string][]byte{"modules.dep": dep.Bytes(), "modules.alias": alias.Bytes(), "modules.softdep": soft.Bytes()}, nil
}

// place of a module in the initramfs's own modules folder.
func (f ModuleFile) path() string { return path.Join("kernel", f.Name+".ko") }
