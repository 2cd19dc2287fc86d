package launch

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// startGuest starts a guest of files of the host.
func startGuest(t testing.TB, options ...Option) *VM {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a guest")
	}
	options = append([]Option{Kernel(guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules")), Memory(128 << 20)}, options...)
	vm, err := Start(context.Background(), guesttest.RootFile(t), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	return vm
}

// TestStart starts a guest as a program does, with a share, an environment and a
// server that the program asks.
func TestStart(t *testing.T) {
	at := hostFiles(t)
	vm := startGuest(t, Env("GREETING=hello"), Share(at("folder"), "/shared", false))
	out, err := vm.Command("sh", "-c", "uname -m; echo $GREETING; ls /shared; grep -c MemTotal /proc/meminfo").Output()
	if string(out) != "i686\nhello\ninside\n1\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	server := vm.Command("sh", "-c", `printf 'HTTP/1.0 200 OK\r\n\r\nfrom the guest' | nc -l -p 8080`)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var text string
	for late := time.Now().Add(5 * time.Minute); text == "" && time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		var r *http.Response
		if r, err = vm.HTTPClient().Get("http://guest:8080/"); err == nil {
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			text = string(b)
		}
	}
	if text != "from the guest" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestStartRefuses: what cannot be started is said in one line.
func TestStartRefuses(t *testing.T) {
	at := hostFiles(t)
	for _, tt := range []struct {
		name, image, want string
		options           []Option
	}{
		{"no such kernel", at("root.tar"), "no such file", []Option{Kernel(at("nosuch/vmlinuz"), "")}},
		{"no kernel", at("root.tar"), "kernel", []Option{Kernel(at("kernel"), at("folder"))}},
		{"a share that is not there", at("root.tar"), "make it first", []Option{Kernel(at("kernel"), ""), Share(at("nosuch"), "/x", true)}},
	} {
		vm, err := Start(t.Context(), tt.image, tt.options...)
		if err == nil {
			vm.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one with %q", tt.name, err, tt.want)
		}
	}
}
