package launch

import (
	"fmt"
	"os"
	"path/filepath"

	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/statefs"
	"alpinevm/kernel"
)

// CacheDir is a folder of ours in the user's cache folder.
func CacheDir(name string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "alpinevm", name), nil
}

// Fetching says what images are taken, and where from.
type Fetching struct {
	// Platform is what images must be for; empty is linux/386. An image for
	// linux/amd64 may hold 32-bit programs, and nothing else of it runs.
	Platform string
	// PrivateRedirects lets registries send us to addresses that are not public.
	PrivateRedirects bool
	// LargeImages raises the bounds of what an image may be.
	LargeImages bool
}

// Images opens the images in the user's cache folder. A nil progress shows
// nothing.
func Images(f Fetching, progress store.Progress) (*store.Store, error) {
	platform, err := store.ParsePlatform(f.Platform)
	if err != nil {
		return nil, err
	}
	dir, err := CacheDir("images")
	if err != nil {
		return nil, fmt.Errorf("no folder for images: %w", err)
	}
	return store.New(store.Config{
		Dir: dir, Progress: progress, Platform: platform, PrivateRedirects: f.PrivateRedirects, Large: f.LargeImages, Free: statefs.FreeSpace,
	}), nil
}

// KernelCache keeps unpacked kernels in the user's cache folder; nil where the
// host has none.
func KernelCache() kernel.Cache {
	dir, err := CacheDir("kernel")
	if err != nil {
		return nil
	}
	return kernel.DirCache(dir)
}
