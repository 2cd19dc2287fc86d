// Package web holds what a browser gets: the page, its workers and the program, which
// make builds.
package web

import (
	"embed"
	"errors"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// ErrMissing is the error of a program that was built without what make web makes.
var ErrMissing = errors.New("this alpinevm was built without its page: build it in its source by make")

// Files are the page's, by their names in a folder that is served.
func Files() (fs.FS, error) {
	if _, err := fs.Stat(dist, "dist/alpinevm.wasm.gz"); err != nil {
		return nil, ErrMissing
	}
	return fs.Sub(dist, "dist")
}
