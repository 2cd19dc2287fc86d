//go:build !js

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"alpinevm/internal/guesttest"
)

// TestBrowserImport moves a machine of this host into a browser: alpinevm export's archive
// is imported by the page, and its files are there, also after a reload. A name that is
// taken and an archive that was cut are refused.
func TestBrowserImport(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	dir := siteDir(t)
	h := home{t: t, dir: t.TempDir()}
	if out, err := h.command("run", "-q", "--timeout", "2m", "--name", "laptop", "-m", "128M", "--network", "none", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
		"--rootfs", guesttest.RootFile(t), "--", "sh", "-c", "echo from the laptop >/root/f; rm /etc/motd").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	archive := dir.Name("laptop.tar")
	if out, err := h.command("export", "-o", archive, "laptop").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.Name("cut.tar"), data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	address := hosted(t, string(dir))
	first := browser(t)
	ctx, _ := tab(first, t, address)
	shows(ctx, t, tabPrompt)
	for _, tt := range []struct{ file, name, want string }{
		{"cut.tar", "box", "cut short"},
		{"laptop.tar", "no name", `name "no name": want letters`},
		{"laptop.tar", "box", "imported"},
		{"laptop.tar", "box", "of this name already"},
	} {
		got := call[string](ctx, t, fmt.Sprintf(`const { AlpineVM } = await import("./alpinevm.js"); const archive = await (await fetch(%q)).blob();
			return await AlpineVM.import(archive, { name: %q }).then(() => "imported", e => e.message)`, filepath.Base(tt.file), tt.name))
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s as %s: %q, want %q", tt.file, tt.name, got, tt.want)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Click("#show")); err != nil {
		t.Fatal(err)
	}
	picture(ctx, t, "import")
	if got := call[bool](ctx, t, `document.querySelector("#as").value = "dropped"; const data = new DataTransfer(); data.items.add(new File([await (await fetch("laptop.tar")).blob()], "laptop.tar"));
		return document.querySelector("#import").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }))`); got {
		t.Error("the browser would open the archive that is dropped")
	}
	until(ctx, t, `(document.readyState === "complete" ? location.search : "") + (document.querySelector("#said")?.textContent ?? "")`, "the page to go to the machine that was dropped", func(s string) bool { return strings.HasPrefix(s, "?name=dropped") })
	shows(ctx, t, "# ")
	if got := call[string](ctx, t, `return new TextDecoder().decode(await vm.readFile("/root/f"))`); got != "from the laptop\n" {
		t.Errorf("the machine that was dropped has %q", got)
	}
	for range 2 {
		if err := chromedp.Do(ctx, chromedp.Navigate(address+"?name=box")); err != nil {
			t.Fatal(err)
		}
		shows(ctx, t, "# ")
		got := call[string](ctx, t, `const r = await vm.exec(["sh", "-c", "cat /root/f; ls /etc/motd; echo more >>/root/f; sync"]); return r.stdout`)
		if !strings.HasPrefix(got, "from the laptop\n") || strings.Contains(got, "motd") {
			t.Errorf("the guest has %q", got)
		}
	}
	if got := call[string](ctx, t, `return new TextDecoder().decode(await vm.readFile("/root/f"))`); got != "from the laptop\nmore\nmore\n" {
		t.Errorf("after a reload the file has %q", got)
	}
}
