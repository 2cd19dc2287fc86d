package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hello":
			io.WriteString(w, "hello")
		case "/short":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "hello")
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	const digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	for _, tt := range []struct {
		path, digest string
		ok           bool
	}{
		{"/hello", digest, true}, {"/hello", digest[:62] + "00", false}, {"/short", digest, false}, {"/nothing", digest, false},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		err := fetch(context.Background(), server.URL+tt.path, tt.digest, file)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.path, err)
		}
		data, readErr := os.ReadFile(file)
		if (readErr == nil) != tt.ok || tt.ok && string(data) != "hello" {
			t.Errorf("%s: the file holds %q, %v", tt.path, data, readErr)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 1 || !tt.ok && len(left) > 0 {
			t.Errorf("%s: %v is left", tt.path, left)
		}
	}
}
