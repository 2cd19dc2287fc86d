package alpinevm_test

import (
	"io"
	"os"
	"testing"

	"alpinevm/internal/guesttest"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// TestExample runs the example where its guest is there, which an example's
// Output line could not depend on.
func TestExample(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	t.Setenv("KERNEL", guesttest.File(t, "686/vmlinuz"))
	t.Setenv("MODULES", guesttest.File(t, "686/modules"))
	t.Setenv("ROOTFS", guesttest.RootFile(t))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	Example()
	w.Close()
	const want = "i686\nexit with 3\nkept\n"
	if text, err := io.ReadAll(r); err != nil || string(text) != want {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
}
