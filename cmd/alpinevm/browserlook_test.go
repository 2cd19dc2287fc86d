//go:build !js

package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdpinput "github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// looks shows the page in a phone's and a desk's width, light and dark, with its panel and
// without: nothing sticks out, its colours follow, and a phone has the keys that it lacks.
func looks(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, tt := range []struct {
		width  int64
		phone  bool
		scheme string
	}{{375, true, "light"}, {375, true, "dark"}, {1280, false, "light"}, {1280, false, "dark"}} {
		name := fmt.Sprintf("%d-%s", tt.width, tt.scheme)
		options := []chromedp.EmulateViewportOption{}
		if tt.phone {
			options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(tt.width, 800, options...)); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: tt.scheme}}}); err != nil {
			t.Fatal(err)
		}
		for _, panel := range []bool{false, true} {
			got := call[string](ctx, t, fmt.Sprintf(`if (document.querySelector("#panel").hidden === %v) document.querySelector("#show").click();
				await new Promise(r => setTimeout(r, 500)); // the terminal takes its size
				const seen = (s) => { const r = document.querySelector(s).getBoundingClientRect(); return r.width > 0 && r.left >= 0 && r.right <= innerWidth && r.bottom <= innerHeight; };
				const light = getComputedStyle(document.body).backgroundColor.match(/\d+/g)[0] > 128;
				return [document.documentElement.scrollWidth <= innerWidth, seen("#show"), seen("#network"), seen("#keys"), seen("#panel"), seen("#rate") && seen("#idle") && seen("#memory"), light, vm.options.terminal.cols > 30 && vm.options.terminal.rows > 8].join()`, panel))
			if want := fmt.Sprintf("true,true,true,%v,%v,true,%v,true", tt.phone, panel, tt.scheme == "light"); got != want {
				t.Errorf("%s, panel %v: fits, button, light, keys, panel, figures, bright, terminal: %s, want %s", name, panel, got, want)
			}
			if panel {
				picture(ctx, t, name+"-files")
			} else {
				picture(ctx, t, name)
			}
		}
	}
}

// controlKey ends a program by the Ctrl of the row of keys and a letter.
func controlKey(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(375, 800, chromedp.EmulateMobile, chromedp.EmulateTouch)); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, `String(document.querySelector("alpine-vm").terminal.cols)`, "the terminal to be as wide as a phone", func(s string) bool { return len(s) == 2 && s < "60" })
	call[any](ctx, t, `document.querySelector("alpine-vm").terminal.focus()`) // which a button had
	types(ctx, t, "sh -c \"echo sta''rted; exec cat\"\r")                     // tells when it is in the foreground
	shows(ctx, t, "\nstarted")
	if err := chromedp.Do(ctx, chromedp.Click(`#keys [data-key="ctrl"]`)); err != nil {
		t.Fatal(err)
	}
	types(ctx, t, "c")
	shows(ctx, t, "^C")
	types(ctx, t, "echo a''live\r") // cat would say it as it is
	shows(ctx, t, "\nalive")
	// A phone's keyboard: a text comes, and no key.
	types(ctx, t, "sh -c \"echo aga''in; exec cat\"\r")
	shows(ctx, t, "\nagain")
	if err := chromedp.Do(ctx, chromedp.Click(`#keys [data-key="ctrl"]`)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, cdpinput.InsertText, cdpinput.InsertTextParams{Text: "c"}); err != nil {
		t.Fatal(err)
	}
	types(ctx, t, "echo a''fterwards\r")
	shows(ctx, t, "\nafterwards")
	// Programs that ask for arrows of their own get them.
	if got := call[string](ctx, t, `const t = document.querySelector("alpine-vm").terminal, sent = []; const l = t.onData(s => sent.push(s)); const up = document.querySelector('#keys [data-key="up"]');
		const wrote = (s) => new Promise(r => t.write(s, r)); up.click(); await wrote("\x1b[?1h"); up.click(); await wrote("\x1b[?1l"); l.dispose(); t.input("\x15"); return JSON.stringify(sent)`); got != `["\u001b[A","\u001bOA"]` {
		t.Errorf("the arrow up sends %s", got)
	}
}
