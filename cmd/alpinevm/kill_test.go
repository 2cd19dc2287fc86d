//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
)

// kills is how often TestKilledAPK kills a guest; each takes a boot.
var kills = flag.Int("kills", 2, "how often to kill a guest during apk add")

// killScript adds and deletes packages for ever, while it writes files of which it
// tells each time that one has been synced. $1 is the repository, $2 the number of the
// last file.
//
// apk renames what it has written over its database and does not sync it: until the
// guest's kernel writes it back, a kill leaves a file without data. So each step is
// synced, and a mark, which is synced too, says whether the database is whole, and its
// sum, or a step is under way. After a kill in a step the copy of the database is taken.
const killScript = beginScript + `
db=/lib/apk/db/installed
mark() { echo "$1" | dd of=/keep/mark conv=fsync 2>/dev/null; }
whole() { sync; mark "whole $(sha1sum <$db)"; sleep 0.3; mark step; }
mkdir -p /keep && mark step
if [ -e /keep/apk.tar ]; then
	tar xf /keep/apk.tar -C / || exit 7
else
	tar cf /keep/new -C / lib/apk/db etc/apk/world && sync && mv /keep/new /keep/apk.tar || exit 8
fi
apk info >/tmp/info && grep -qx busybox /tmp/info || { echo apk\'s database is broken; exit 9; }
{
	n=$2
	while :; do
		n=$((n+1))
		head -c $((n % 7 * 3000 + 100)) /dev/zero | tr '\0' $((n % 10)) | dd of=/keep/$n bs=32k conv=fsync 2>/dev/null && echo synced $n
	done
} &
echo up
while :; do
	whole
	apk add -q --no-cache many || exit 2
	whole
	apk del -q --no-network many || exit 3
done`

// beginScript tells apk of the repository $1.
const beginScript = `
cd /
printf %s "$KEY" >/etc/apk/keys/test.rsa.pub && echo "$1" >/etc/apk/repositories || exit 1`

// endScript adds the packages, and repairs what a killed apk may have left.
const endScript = beginScript + `
tar xf /keep/apk.tar -C / &&
apk add -q --no-cache many && apk fix -q --no-cache many && apk audit --system && sync`

// manyPackage is what is added.
func manyPackage() *apktest.Package {
	p := &apktest.Package{Name: "many", Version: "1.0-r0", Scripts: map[string]string{"post-install": "echo added >>/var/log/added"}}
	for i := range 300 {
		data := bytes.Repeat(fmt.Appendf(nil, "file %d ", i), 1+i*7%1500)
		p.Files = append(p.Files, apktest.File{Name: fmt.Sprintf("usr/share/many/%d/file%d", i%9, i), Mode: []int64{0o644, 0o4755}[i%2], Data: data})
	}
	return p
}

// TestKilledAPK kills the program with SIGKILL at random points of an apk add in
// a machine that stays. Each time the machine starts again, everything in it can
// be read, and every file that was synced is whole, apk's database among them.
func TestKilledAPK(t *testing.T) {
	t.Parallel()
	h := home{t: t, dir: t.TempDir()}
	key, many := apktest.NewKey(t, "test.rsa.pub"), manyPackage()
	repo := apktest.NewRepository(key, many)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := repo[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	}))
	defer web.Close()
	url := fmt.Sprintf("http://10.0.2.2:%d", web.Listener.Addr().(*net.TCPAddr).Port)
	args := []string{
		"run", "-q", "--name", "box", "--host-loopback", "-m", "256M", "-e", "KEY=" + string(key.Public()), "--rootfs", guesttest.RootFile(t),
		"--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"), "--", "sh", "-c",
	}
	synced, whole := 0, 0
	for kill := range *kills {
		cmd := h.command(append(args, killScript, "script", url, fmt.Sprint(synced))...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(2*patience, func() { cmd.Process.Kill() })
		up, timed := false, false
		var said strings.Builder
		for in := bufio.NewScanner(out); in.Scan(); {
			said.WriteString(in.Text() + "\n")
			up = up || in.Text() == "up"
			fmt.Sscanf(in.Text(), "synced %d", &synced)
			if up && !timed && (synced > 0 || kill+1 < *kills) { // a slow host has synced something, too, before the last kill
				timed = true
				time.AfterFunc(time.Duration(rand.N(4000))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		code := codeOf(t, cmd.Wait())
		if !late.Stop() || !up || code >= 0 {
			t.Fatalf("kill %d: the guest ended by itself with %d, and said %q, %q", kill, code, said.String(), errs.String())
		}
		if checkKilled(t, h, synced) {
			whole++
		}
	}
	if synced == 0 {
		t.Error("nothing was synced")
	}
	h.check(append(args, endScript, "script", url), 0, "", "")
	root, done := openKilled(t, h)
	defer done()
	for _, f := range many.Files {
		if got, err := fs.ReadFile(root, f.Name); err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("%s differs, or %v", f.Name, err)
		}
	}
	t.Logf("%d kills, %d of them between two steps of apk, %d files synced", *kills, whole, synced)
}

// openKilled opens the file system of the machine box on the host.
func openKilled(t *testing.T, h home) (root fs.ReadLinkFS, done func()) {
	t.Helper()
	s := store.New(store.Config{Dir: filepath.Join(h.dir, "cache", "alpinevm", "images")})
	dir := filepath.Join(h.dir, "state", "alpinevm", "machines", "box")
	img, err := s.Pinned(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	lower, err := s.Open(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	upper, err := statefs.Open(statefs.Config{Dir: filepath.Join(dir, "root")})
	if err != nil {
		t.Fatal(err)
	}
	union, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	return fs9p.IOFS(union), func() {
		upper.Close()
		lower.Close()
	}
}

// checkKilled reads all that is in the machine. The files up to number synced
// were synced. It says whether apk's database was, too.
func checkKilled(t *testing.T, h home, synced int) (whole bool) {
	t.Helper()
	root, done := openKilled(t, h)
	defer done()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			_, err = d.Info()
		}
		switch {
		case err != nil:
		case d.Type().IsRegular():
			_, err = fs.ReadFile(root, name)
		case d.Type() == fs.ModeSymlink:
			_, err = root.ReadLink(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= synced; n++ {
		want := bytes.Repeat([]byte{byte('0' + n%10)}, n%7*3000+100)
		if got, err := fs.ReadFile(root, fmt.Sprint("keep/", n)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("of %d synced files number %d, of %d bytes, is %.40q, %d bytes, %v", synced, n, len(want), got, len(got), err)
		}
	}
	mark, err := fs.ReadFile(root, "keep/mark")
	if err != nil {
		t.Fatal(err)
	}
	sum, whole := strings.CutPrefix(string(mark), "whole ")
	db, err := fs.ReadFile(root, "lib/apk/db/installed")
	if got := fmt.Sprintf("%x  -\n", sha1.Sum(db)); err != nil || whole && sum != got {
		t.Fatalf("apk's synced database has %d bytes, ends with %.40q, and the sum %q, %q before; %v", len(db), db[max(0, len(db)-40):], got, sum, err)
	}
	return whole
}
