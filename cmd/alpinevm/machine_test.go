//go:build linux

package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"alpinevm/fs9p/oci"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/machines"
)

// TestMachines keeps a machine between runs: it goes on with its own image when
// the tag has moved, one user at a time, until it is removed.
func TestMachines(t *testing.T) {
	t.Parallel()
	kernel, modules := guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules")
	h := home{t: t, dir: t.TempDir()}
	img := alpineImage(t, v1.Config{Cmd: []string{"sh"}, Env: []string{"A=image"}})
	host, stop := pushed(t, map[string]v1.Image{"alpine:3.20": img})
	ref := host + "/alpine:3.20"
	run := func(args ...string) []string { return append([]string{"run", "-q", "--network", "none"}, args...) }

	h.check([]string{"ls"}, 0, `NAME +IMAGE +SIZE +CREATED +STATUS\n`, "")
	h.check(run("--name", "../box", ref), 125, "", `alpinevm: machine "../box": want a name of .*\n`)
	h.check(run("--name", "box", "--kernel", kernel, "--modules", modules, "-u", "nosuch", ref), 125, "", `alpinevm: --user nosuch: .*\n`)
	h.check([]string{"ls", "-q"}, 0, "", "")
	h.check(run("--name", "box", "--kernel", kernel, "--modules", modules, ref, "sh", "-c",
		"echo text >/root/f; ln /root/f /root/g; rm /etc/issue; mv /etc/apk /etc/moved; echo $A; exit 3"), 3, "image\n", "")
	h.check([]string{"ls"}, 0, `NAME.*\nbox +`+ref+` +[0-9.]+[kM]B +(\d+|Less than a|About a) (second|minute)s? ago +Exited \(3\) .* ago\n`, "")

	// A name that is mistyped makes another machine, which is said.
	h.check([]string{"run", "--network", "none", "--name", "bxo", "--kernel", kernel, "--modules", modules, ref, "true"}, 0, "",
		`alpinevm: new machine bxo; there is a machine box\n`)
	h.check([]string{"run", "--network", "none", "--name", "bxo", "--", "true"}, 0, "", "")
	h.check([]string{"rm", "bxo"}, 0, "bxo\n", "")

	// The tag moves, and the registry goes.
	other, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if other, err = mutate.ConfigFile(other, &v1.ConfigFile{OS: "linux", Architecture: "386", RootFS: rootFS(t, other)}); err != nil {
		t.Fatal(err)
	}
	push(t, ref, other)
	h.check([]string{"pull", "-q", "--no-kernel", ref}, 0, "", "")
	stop()

	up := h.command(run("--name", "box", ref, "sh", "-c", "cat /root/g; ls /etc/moved; ls /etc/issue; echo up; read x; echo $x >>/root/f")...)
	up.Stderr = &bytes.Buffer{}
	in, err := up.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { up.Process.Kill() }).Stop()
	lines := bufio.NewReader(out)
	for _, want := range []string{"text\n", "arch\n", "keys\n", "protected_paths.d\n", "repositories\n", "world\n", "up\n"} {
		if line, err := lines.ReadString('\n'); line != want {
			t.Errorf("%q, want %q; %v", line, want, err)
		}
	}
	h.check([]string{"ls"}, 0, `NAME.*\nbox .* Up .*\n`, "")
	h.check(run("--name", "box"), 125, "", `alpinevm: machine box: it is running\n`)
	h.check([]string{"rm", "box", "nosuch"}, 1, "", `alpinevm: machine box: it is running\nalpinevm: machine nosuch: there is none of that name; .*\n`)
	in.Write([]byte("more\n"))
	if code := codeOf(t, up.Wait()); code != 0 {
		t.Errorf("exit code %d, %s", code, up.Stderr)
	}

	for _, tt := range [][2]string{
		{"uname", `machine box is made from ` + ref + `, not uname; to run a command in it: alpinevm run --name box -- uname`},
		{host + "/alpine:3.21", `machine box is made from .*, not .*`},
	} {
		h.check(run("--name", "box", tt[0]), 125, "", "alpinevm: "+tt[1]+"\n")
	}
	h.check(run("--name", "box", "--rootfs", guesttest.RootFile(t)), 125, "", `alpinevm: machine box is made from .*, not --rootfs .*\n`)
	h.check(run("--name", "box", "--initrd", kernel), 125, "", `alpinevm: --name keeps a root file system: .*\n`)
	id, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	h.check([]string{"images"}, 0, `REPOSITORY.*\n(.*\n)?<none> +<none> +`+id.Hex[:12]+` .*\n(.*\n)?`, "")
	h.check([]string{"rmi", "-f", id.Hex}, 1, "", `alpinevm: image `+id.Hex+`: machines are made from it \(box\); alpinevm rm removes them\n`)
	h.check([]string{"__complete", "run", "--name", ""}, 0, `box\n:4\n`, `.*\n`)

	// The cache is lost, and with it what the machine was made from.
	cache := filepath.Join(h.dir, "cache", "alpinevm", "images")
	if err := os.Rename(cache, cache+".away"); err != nil {
		t.Fatal(err)
	}
	h.check(run("--name", "box"), 125, "", `alpinevm: machine box: image .*@sha256:.* refuses connections; .*\n`)
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cache+".away", cache); err != nil {
		t.Fatal(err)
	}

	// A version of the program that numbers files in another way.
	record := filepath.Join(h.dir, "state", "alpinevm", "machines", "box", "machine.json")
	whole, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, bytes.Replace(whole, []byte(strings.TrimSpace(oci.Version)), []byte("another"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	h.check(run("--name", "box"), 125, "", `alpinevm: machine box: it was made by another version of alpinevm.*\n`)
	h.check([]string{"rm", "box"}, 0, "box\n", "")
	h.check([]string{"ls", "-q"}, 0, "", "")
	h.check([]string{"rmi", ref}, 0, `(.*\n)+`, "")
	for _, dir := range []string{"blobs/sha256", "layers", "trees"} {
		if left, err := os.ReadDir(filepath.Join(cache, dir)); err != nil || len(left) > 0 {
			t.Errorf("%s: %v are left, %v", dir, left, err)
		}
	}
}

// TestMachineOfTarball makes a machine of a tarball, which can go then.
func TestMachineOfTarball(t *testing.T) {
	t.Parallel()
	kernel, modules := guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules")
	h := home{t: t, dir: t.TempDir()}
	root := filepath.Join(h.dir, "root.tar.gz")
	data, err := os.ReadFile(guesttest.RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root, data, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []string {
		return append([]string{"run", "-q", "--network", "none", "--name", "box"}, args...)
	}
	h.check(run("--kernel", kernel, "--modules", modules, "--rootfs", h.dir), 125, "", `alpinevm: --rootfs .*: a folder can change while .*\n`)
	h.check(run("--kernel", kernel, "--modules", modules, "--rootfs", root, "--", "sh", "-c", "echo text >/etc/motd"), 0, "", "")
	var another bytes.Buffer
	w := tar.NewWriter(&another)
	w.WriteHeader(&tar.Header{Name: "another"})
	w.Close()
	if err := os.WriteFile(root, another.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	h.check(run("--rootfs", root), 125, "", `alpinevm: machine box is made from what .* was before it changed; leave out --rootfs .*\n`)
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	// Programs can replace the resolver's files, as udhcpc does, but for those of a volume.
	hosts := filepath.Join(h.dir, "hosts")
	if err := os.WriteFile(hosts, []byte("a volume\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.check([]string{"run", "-q", "--name", "box", "-v", hosts + ":/etc/hosts:ro", "--", "sh", "-c", `cat /etc/motd /etc/hosts
echo before >/etc/resolv.conf; udhcpc -q -n -i eth0 >/tmp/said 2>&1 || cat /tmp/said; cat /etc/resolv.conf; ls -A /etc | grep resolv
echo new >/etc/new; mv /etc/new /etc/resolv.conf`}, 0, "text\na volume\nnameserver 10\\.0\\.2\\.3\nresolv.conf\n", "")
	var r machines.Record
	b, err := os.ReadFile(filepath.Join(h.dir, "state", "alpinevm", "machines", "box", "machine.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil || r.From != root || r.Kernel != kernel || r.Ended.Before(r.Started) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMachineStatus(t *testing.T) {
	now := time.Now()
	ago := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	for _, tt := range []struct {
		l    machines.Listed
		want string
	}{
		{machines.Listed{Running: true, Record: machines.Record{Started: ago(3), Ended: ago(5)}}, "Up 3 hours"},
		{machines.Listed{Record: machines.Record{Started: ago(6), Ended: ago(5), ExitCode: 7}}, "Exited (7) 5 hours ago"},
		{machines.Listed{Record: machines.Record{Started: ago(3), Ended: ago(5)}}, "Killed"},
	} {
		if got := status(tt.l, now); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
