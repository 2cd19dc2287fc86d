// Command fetch downloads a file whose SHA-256 digest is known:
//
//	go run ./scripts/fetch URL DIGEST FILE
//
// The file appears whole and right, or not at all.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// What a download may take.
const (
	maxBytes = 1 << 30
	maxTime  = 5 * time.Minute
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: fetch URL DIGEST FILE")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	if err := fetch(ctx, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func fetch(ctx context.Context, url, digest, file string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".fetch-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(t.Name())
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(t, h), io.LimitReader(resp.Body, maxBytes))
	if e := t.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digest {
		return fmt.Errorf("%s: its SHA-256 digest is %s, want %s", url, got, digest)
	}
	return os.Rename(t.Name(), file)
}
