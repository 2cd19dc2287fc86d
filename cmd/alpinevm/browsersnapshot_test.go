//go:build !js

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrowserSnapshot starts a page from the snapshot that web build has made. What must
// be new at a start is new; what the page saves goes on under alpinevm run and in
// another page; a snapshot that does not fit is told, and the machine boots.
func TestBrowserSnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	dir := siteDir(t)
	address := hosted(t, string(dir))
	first := browser(t)
	var drawn [2]string
	var ctx context.Context
	for i := range drawn {
		var closeTab context.CancelFunc
		if ctx, closeTab = tab(first, t, address); i == 0 {
			defer closeTab()
		}
		shows(ctx, t, tabPrompt)
		drawn[i] = drawnNow(ctx, t)
	}
	if drawn[0] == drawn[1] {
		t.Errorf("two starts have drawn %s", drawn[0])
	}
	types(ctx, t, "x=in''memory; echo on the disk >/root/f; echo it is writ''ten\r")
	shows(ctx, t, "\nit is written") // what was typed shows before it has run
	picture(ctx, t, "from snapshot")
	file := filepath.Join(t.TempDir(), "tab.snapshot")
	if err := os.WriteFile(file, saved(ctx, t), 0o600); err != nil {
		t.Fatal(err)
	}
	h := home{t: t, dir: t.TempDir()}
	if out, err := h.command("run", "-q", "--timeout", "2m", "--from", file, "--", "sh", "-c", "cat /root/f; find / -xdev -type f -exec cat {} + | wc -c").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "on the disk\n") {
		t.Errorf("run --from what the page has saved: %v: %q", err, out)
	}
	goesOn(ctx, t)
	begins(ctx, t)
	if got := call[string](ctx, t, `const said = []; const { AlpineVM } = await import("./alpinevm.js"); const other = await AlpineVM.create({snapshot: new Blob(["no snapshot at all, but as long as the first bytes of one have to be: they are sixty-four"])});
		other.on("notice", n => said.push(n)); const r = await other.exec(["echo", "booted"]); other.terminate(); return said.join() + r.stdout`); !strings.HasPrefix(got, "The snapshot cannot be used: not a snapshot") || !strings.HasSuffix(got, "booted\n") {
		t.Errorf("with no snapshot in its place: %q", got)
	}
}

// drawnNow is what a guest draws that goes on from what others do, too. Its date is the
// host's, its name its own, and its root is there.
func drawnNow(ctx context.Context, t *testing.T) string {
	t.Helper()
	got := call[string](ctx, t, `const r = await vm.exec(["sh", "-c", "head -c 16 /dev/urandom | od -An -tx1; date +%s; hostname; ls / | wc -l"]); return r.stdout + r.stderr`)
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 4 || lines[2] != "tab" || lines[3] == "0" {
		t.Fatalf("the guest says %q", got)
	}
	var seconds float64
	if fmt.Sscan(lines[1], &seconds); math.Abs(seconds-float64(time.Now().Unix())) > patience.Seconds() {
		t.Errorf("the guest's clock shows %v, and it is %v", seconds, time.Now().Unix())
	}
	return lines[0]
}

// begins has machines for which the snapshot at the prompt is of no use say what they start
// from.
func begins(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, tt := range []struct{ options, want string }{
		{"", "starting"},
		{"memory: 160,", "booting, since the kernel that has booted already cannot be used: its machine has 128 MiB of memory, and this one is to have 160"},
		{"snapshot: null,", "booting"},
	} {
		got := call[string](ctx, t, `const { AlpineVM } = await import("./alpinevm.js"); let other; const said = [];
			const phase = new Promise((yes, no) => { const late = setTimeout(() => no(new Error("nothing for a minute but " + said)), 60000);
				const failed = e => { clearTimeout(late); no(e); };
				AlpineVM.create({ `+tt.options+` onProgress: p => { said.push(p.phase); if (/^(starting.|booting|starting$)/.test(p.phase) && said.includes("loading")) { clearTimeout(late); yes(p.phase); } } }).then(vm => (other = vm).on("error", failed), failed); });
			try { return await phase; } finally { other?.terminate(); }`)
		if got != tt.want {
			t.Errorf("{%s}: the page says %q, want %q", tt.options, got, tt.want)
		}
	}
}

// saved is the snapshot that a page makes of its machine.
func saved(ctx context.Context, t *testing.T) []byte {
	t.Helper()
	n := call[int](ctx, t, `window.blob = await vm.snapshot(); return blob.size`)
	var data []byte
	for len(data) < n {
		const part = 3 << 20
		text := call[string](ctx, t, fmt.Sprintf(`return new Promise((r, e) => { const f = new FileReader(); f.onload = () => r(f.result.split(",")[1]); f.onerror = e; f.readAsDataURL(blob.slice(%d, %d)); })`, len(data), min(len(data)+part, n)))
		more, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, more...)
	}
	return data
}

// goesOn has another machine in the page go on from what saved has left there: its shell
// knows what it knew.
func goesOn(ctx context.Context, t *testing.T) {
	t.Helper()
	got := call[string](ctx, t, `const { AlpineVM } = await import("./alpinevm.js"); let screen = "", type;
		const other = await AlpineVM.create({ snapshot: blob, terminal: { cols: 80, rows: 24, write: d => screen += new TextDecoder().decode(d), onData: f => type = f } });
		const failed = new Promise(r => { other.on("error", e => r(e.message)); other.on("notice", r); setTimeout(() => r("nothing for a minute"), 60000); });
		const until = async text => { while (!screen.includes(text)) await new Promise(r => setTimeout(r, 50)); };
		const shown = (async () => { await until("echo it is"); await other.exec(["true"]); type("echo $x\r"); await until("inmemory"); return "goes on"; })();
		const said = await Promise.race([shown, failed]); other.terminate(); return said === "goes on" ? said : said + ": " + screen`)
	if got != "goes on" {
		t.Errorf("another machine from the snapshot: %q", got)
	}
}
