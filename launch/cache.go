package launch

import (
	"fmt"
	"os"
	"path/filepath"

	"alpinevm/fs9p/oci/store"
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

// Images opens the images in the user's cache folder. A nil progress shows
// nothing.
func Images(progress store.Progress) (*store.Store, error) {
	dir, err := CacheDir("images")
	if err != nil {
		return nil, fmt.Errorf("no folder for images: %w", err)
	}
	return store.New(store.Config{Dir: dir, Progress: progress}), nil
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
