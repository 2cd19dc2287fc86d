package launch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"testing/fstest"
	"time"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/launch"
)

// A guest, and a command in it.
func ExampleStart() {
	vm, err := launch.Start(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	out, err := vm.Command("cat", "/etc/alpine-release").Output()
	fmt.Printf("%s%v\n", out, err)
}

// A command with input, its streams, a time limit, and its exit code.
func ExampleVM_command() {
	vm, err := launch.Start(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := vm.CommandContext(ctx, "sort", "-u")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewBufferString("b\na\nb\n"), os.Stdout, os.Stderr
	var exit *alpinevm.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		fmt.Println("it has ended with", exit.ExitCode())
	}
}

// Files in and out of a running guest.
func ExampleVM_files() {
	vm, err := launch.Start(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	files := vm.FS()
	if err := files.WriteFile("root/in.txt", []byte("from the host\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := vm.Command("sh", "-c", "md5sum /root/in.txt >/root/out.txt").Run(); err != nil {
		log.Fatal(err)
	}
	text, err := files.ReadFile("root/out.txt")
	fmt.Printf("%s%v\n", text, err)
}

// A folder of the host, and files that exist in the program alone.
func ExampleMount() {
	config := fstest.MapFS{"app.conf": {Data: []byte("debug = true\n")}} // or an embed.FS, or a zip.Reader
	vm, err := launch.Start(context.Background(), "alpine:3.20",
		launch.Share("src", "/src", true),
		launch.Mount(alpinevm.Volume{FS: fs9p.FromIOFS(config), Target: "/config", ReadOnly: true}))
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	out, err := vm.Command("ls", "/src", "/config").Output()
	fmt.Printf("%s%v\n", out, err)
}

// A server in the guest, asked without a port of the host's.
func ExampleVM_HTTPClient() {
	vm, err := launch.Start(context.Background(), "nginx:alpine", launch.Program())
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	r, err := vm.HTTPClient().Get("http://guest/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	fmt.Println(r.Status)
}

// A guest that is ready is saved, and goes on from there in another machine.
func ExampleVM_snapshot() {
	ctx := context.Background()
	vm, err := launch.Start(ctx, "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	if err := vm.Command("apk", "add", "git").Run(); err != nil {
		log.Fatal(err)
	}
	ready, err := vm.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Create("ready.snapshot") // alpinevm run --from, or launch.Spec's From
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(ready.Write(file), file.Close()); err != nil {
		log.Fatal(err)
	}
}
