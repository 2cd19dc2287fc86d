//go:build !js

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFetchNetwork gives a guest in a tab packages and pages without a relay: from hosts
// that let pages read them, and of one that does not it gets a sentence.
func TestFetchNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	key, repo := testPackage(t)
	open, closed := packages(t, repo, "/alpine/v3.20/main/", "*"), packages(t, repo, "/alpine/v3.20/main/", "")
	address := hosted(t, string(siteDir(t, "--fetch-mirror", closed.URL+"/alpine", "--fetch-mirror", open.URL+"/alpine", "-e", "KEY="+string(key.Public()))))
	ctx := browser(t, chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP open.example %s, MAP closed.example %s", open.Listener.Addr(), closed.Listener.Addr())))
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	if got := until(ctx, t, `document.querySelector("#network").textContent`, "the light", func(s string) bool { return s != "" }); got != "network: fetch" {
		t.Errorf("the page's light says %q", got)
	}
	for _, tt := range []struct {
		name, script string
		code         int
		want         []string
	}{
		{"apk add, of a mirror that lets it", `printf %s "$KEY" >/etc/apk/keys/test.rsa.pub; sed -i /community/d /etc/apk/repositories; cat /etc/apk/repositories; apk add --no-cache hello && hello`, 0,
			[]string{"http://dl-cdn.alpinelinux.org/alpine/v3.20/main\n", "hello from a package"}},
		{"of a host that lets it", `wget -q -O - http://open.example/alpine/v3.20/main/x86/hello-1.0-r0.apk | cmp - $(apk --no-cache fetch -q hello && echo hello-1.0-r0.apk) && echo the same`, 0, []string{"the same"}},
		{"of a host that does not", `wget -O - http://closed.example/alpine/`, 1, []string{"502 closed.example does not let this page read what it answers: it sends no header Access-Control-Allow-Origin (CORS)"}},
		{"what a host has not", `wget -O - http://open.example/alpine/v3.20/main/none`, 1, []string{"404"}},
		{"of nobody", `wget -O - http://nobody.invalid.example/`, 1, []string{"502 nobody.invalid.example cannot be reached by this browser's fetch"}},
		{"by https", `wget -O - https://open.example/`, 1, []string{"onnection refused"}},
		{"at another port", `wget -O - http://open.example:81/`, 1, []string{"onnection refused"}},
		{"of an address", `wget -O - http://192.0.2.1/`, 1, []string{"onnection refused"}},
		{"of the host", `wget -O - http://10.0.2.2/`, 1, []string{"onnection refused"}},
		{"of a name of this computer", `wget -O - http://x.localhost/`, 1, []string{"bad address"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := call[string](ctx, t, `return JSON.stringify(await vm.exec(["sh", "-c", `+fmt.Sprintf("%q", tt.script)+`], {cwd: "/tmp"}))`)
			var got struct {
				Code           int
				Stdout, Stderr string
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if got.Code != tt.code || !strings.Contains(got.Stdout+got.Stderr, want) {
					t.Errorf("%+v, want %d and %q", got, tt.code, want)
				}
			}
		})
	}
	shows(ctx, t, "closed.example does not let")
	shows(ctx, t, "open.example: this page has no relay")
	picture(ctx, t, "fetch")
	call[any](ctx, t, `await vm.shutdown(1)`)
}
