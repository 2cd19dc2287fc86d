package main

import "io/fs"

// sources is the module's folder without what is no source.
type sources struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	var list []fs.DirEntry
	for _, e := range all {
		if (name != "." || isSource(e.Name())) && (e.IsDir() || e.Type().IsRegular()) {
			list = append(list, e)
		}
	}
	return list, err
}
