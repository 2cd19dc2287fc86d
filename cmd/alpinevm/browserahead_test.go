//go:build !js

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"alpinevm/internal/website"
)

// TestAhead starts pages with the list of what a start reads and without: with it the
// program seldom has to wait for what is not on its way. Requests are counted, no time.
func TestAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	with := siteDir(t)
	m := siteMachine(t, with)
	m.Ahead = website.Ahead{}
	without := website.Dir(filepath.Join(t.TempDir(), "without"))
	if err := os.CopyFS(string(without), os.DirFS(string(with))); err != nil {
		t.Fatal(err)
	}
	if err := without.Describe(m); err != nil {
		t.Fatal(err)
	}
	b := browser(t)
	listed, bytes := waits(b, t, with)
	unlisted, _ := waits(b, t, without)
	t.Logf("with the list the program has waited %d times (%d bytes), without it %d times", listed, bytes, unlisted)
	if unlisted < 5 || listed > unlisted/2 {
		t.Errorf("with the list the program has waited %d times, without it %d times", listed, unlisted)
	}
}

// waits starts a machine in a page of a site and runs what somebody types first. It gives
// how often the program has asked for what was not on its way, and what was fetched.
func waits(b context.Context, t *testing.T, dir website.Dir) (n, bytes int) {
	t.Helper()
	ctx, closeTab := tab(b, t, hosted(t, string(dir)))
	defer closeTab()
	shows(ctx, t, tabPrompt)
	commands, _ := json.Marshal(firstCommands)
	got := call[string](ctx, t, fmt.Sprintf(`vm.terminate(); const { AlpineVM } = await import("./alpinevm.js");
		const other = await AlpineVM.create({ terminal: { cols: 80, rows: 24, write() {}, onData() {} } }); const failed = new Promise((_, no) => other.on("error", no));
		await Promise.race([failed, other.exec(["sh", "-c", %s])]); const s = await Promise.race([failed, new Promise(r => other.on("stat", r))]);
		other.terminate(); return s.waits + " " + s.fetched`, commands))
	if _, err := fmt.Sscan(got, &n, &bytes); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	return n, bytes
}
