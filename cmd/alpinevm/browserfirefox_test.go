//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// result is what the page posts: a step, and what came of it.
type result struct{ Step, Text string }

// reporting serves a folder whose page runs a script besides, and hands out what that posts.
func reporting(t *testing.T, dir, script string) (string, <-chan result) {
	t.Helper()
	data, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan result)
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page, err := os.ReadFile(filepath.Join(dir, "index.html"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(bytes.Replace(page, []byte("</body>"), []byte(`<script type="module" src="report.mjs"></script></body>`), 1))
	})
	mux.HandleFunc("GET /report.mjs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write(data)
	})
	mux.HandleFunc("POST /result", func(w http.ResponseWriter, r *http.Request) {
		var got result
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&got); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case results <- got:
		case <-t.Context().Done():
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL + "/", results
}

// firefoxPrefs has a new profile load the page and nothing else.
const firefoxPrefs = `user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
`

// firefox shows a page in a headless Firefox.
func firefox(t *testing.T, address string) {
	t.Helper()
	name, err := exec.LookPath("firefox-esr")
	if err != nil {
		if name, err = exec.LookPath("firefox"); err != nil {
			lacks(t, "firefox-esr")
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxPrefs), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := exec.Command(name, "--headless", "--no-remote", "--profile", dir, address)
	c.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "MOZ_CRASHREPORTER_DISABLE=1", "MOZ_DISABLE_CONTENT_SANDBOX=1") // containers may not let it make one
	c.Stdout, c.Stderr = &log, &log
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill() // its children end when they hear nothing of it
		c.Wait()
		if t.Failed() {
			t.Logf("Firefox has said %q", log.String()[max(0, log.Len()-2000):])
		}
		// They may write to the profile until then.
		for end := time.Now().Add(10 * time.Second); os.RemoveAll(dir) != nil && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// TestFirefox shows the page in Firefox: prompt, programs, files, packages that lie beside
// the page, an orderly end.
func TestFirefox(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	key, repo := testPackage(t)
	dir := siteDir(t, "--fetch-mirror", "packages", "-e", "KEY="+string(key.Public()))
	for file, data := range repo {
		name := dir.Name(filepath.Join("packages", "v3.20", "main", filepath.FromSlash(file)))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address, results := reporting(t, string(dir), filepath.Join("testdata", "firefox.mjs"))
	firefox(t, address)
	late := time.After(patience)
	var seen result
	for _, want := range []result{
		{"prompt", "Firefox/"},
		{"typed", "tab i686"},
		{"exec", `{"code":3,"stdout":"in /tmp\n","stderr":"b\n"}`},
		{"files", "text4"},
		{"apk", "hello from a package\n"},
		{"ended", "ended"},
	} {
		got := seen
		for got.Step = "seen"; got.Step == "seen"; {
			select {
			case got = <-results:
				seen = got
			case <-late:
				t.Fatalf("waiting for %q: %v have passed; the page shows %q", want.Step, patience, seen.Text)
			}
		}
		if got.Step != want.Step || !strings.Contains(got.Text, want.Text) {
			t.Fatalf("the page says %+v, want %+v", got, want)
		}
	}
}
