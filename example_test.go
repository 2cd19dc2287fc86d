package alpinevm_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
)

// A command in a guest: what it prints, its exit code, and a file that it leaves.
func Example() {
	vmlinuz, _ := os.ReadFile(os.Getenv("KERNEL")) // New refuses one that is not there
	modules, err := hostfs.New(os.Getenv("MODULES"))
	check(err)
	defer modules.Close()
	tarball, err := os.Open(os.Getenv("ROOTFS"))
	check(err)
	defer tarball.Close()
	root := memfs.New(memfs.Config{})
	check(root.LoadTar(tarball))

	var out bytes.Buffer
	args := []string{"sh", "-c", "uname -m; echo kept >/root/file; exit 3"}
	boot, session := alpinevm.Boot{Kernel: vmlinuz, Modules: modules}, &alpinevm.Session{Root: root, Stdout: &out, Args: args}
	m, err := alpinevm.New(alpinevm.Config{Boot: boot, Session: session})
	check(err)
	defer m.Close()
	end, err := m.Run(context.Background())
	check(err)
	file, err := fs.ReadFile(fs9p.IOFS(root), "root/file")
	check(err)
	fmt.Printf("%s%s with %d\n%s", &out, end.Cause, end.Code, file)
}

// A kernel of one's own that gdb debugs (target remote :1234), and a profile of where
// its instructions went.
func ExampleDebug() {
	image, err := os.ReadFile("my-multiboot.elf")
	check(err)
	port, err := net.Listen("tcp", "127.0.0.1:1234") // whoever reaches it controls the guest
	check(err)
	m, err := alpinevm.New(alpinevm.Config{
		Boot:  alpinevm.Boot{Kernel: image},
		Debug: alpinevm.Debug{GDB: alpinevm.NewGDB(port), GDBWait: true, Profile: alpinevm.NewProfile(100_000)},
	})
	check(err)
	defer m.Close()
	end, err := m.Run(context.Background())
	check(err)
	profile, err := os.Create("profile.pb")
	check(err)
	check(m.WriteProfile(profile)) // for go tool pprof
	check(profile.Close())
	fmt.Println(end.Cause)
}
