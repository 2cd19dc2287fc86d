package alpinevm

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
)

// waitingProgram is an ELF file that waits for a byte of input, then goes on in its
// last page, where it prints text and exits with code.
func waitingProgram(text string, code byte) []byte {
	const (
		base   = 0x08048000
		second = 64 << 12 // offset of the last page: far enough not to be read ahead
		start  = 52 + 32
	)
	le := binary.LittleEndian
	b := make([]byte, second)
	copy(b, "\x7fELF\x01\x01\x01")
	for _, f := range []struct {
		at int
		v  uint16
	}{{16, 2}, {18, 3}, {20, 1}, {40, 52}, {42, 32}, {44, 1}} { // executable, 386, header sizes, one program header
		le.PutUint16(b[f.at:], f.v)
	}
	le.PutUint32(b[24:], base+start)
	le.PutUint32(b[28:], 52)
	copy(b[start:], []byte{0xb8, 3, 0, 0, 0, 0x31, 0xdb, 0x83, 0xec, 4, 0x89, 0xe1, 0xba, 1, 0, 0, 0, 0xcd, 0x80, 0xe9}) // read(0, stack, 1); jmp
	le.PutUint32(b[start+20:], second-(start+24))
	const size = 5*4 + 2 + 5 + 5 + 2
	var s []byte
	for i, v := range []uint32{4, 1, base + second + size, uint32(len(text))} { // write(1, text, len)
		s = le.AppendUint32(append(s, []byte{0xb8, 0xbb, 0xb9, 0xba}[i]), v)
	}
	s = append(s, 0xcd, 0x80, 0xb8, 1, 0, 0, 0, 0xbb, code, 0, 0, 0, 0xcd, 0x80) // exit(code)
	b = append(append(b, s...), text...)
	for i, v := range []uint32{1, 0, base, base, uint32(len(b)), uint32(len(b)), 5, 0x1000} { // PT_LOAD of the whole file, R and X
		le.PutUint32(b[52+4*i:], v)
	}
	return b
}

// helloPackages are packages with all that packages can have.
func helloPackages(version int) []*apktest.Package {
	v := fmt.Sprintf("%d.0-r0", version)
	text := fmt.Appendf(nil, "version %d\n", version)
	content, _ := pattern(100 << 10)
	scripts := map[string]string{}
	for _, s := range []string{"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-deinstall", "post-deinstall"} {
		scripts[s] = `echo "hello ` + s + ` $*;" >>/var/log/scripts`
	}
	hello := &apktest.Package{Name: "hello", Version: v, Depends: []string{"so:libhello.so.1"}, Scripts: scripts, Files: []apktest.File{
		{Name: "etc/hello.conf", Data: text},
		{Name: "etc/hello.d/untouched.conf", Data: text},
		{Name: "usr/bin/hello", Mode: 0o755, Data: waitingProgram(string(text), byte(version))},
		{Name: "usr/bin/hello-setgid", Mode: 0o2755, Data: text, Group: "mail"},
		{Name: "usr/bin/hello-setuid", Mode: 0o4755, Data: text},
		{Name: "usr/share/hello/absolute", Type: tar.TypeSymlink, Link: "/usr/share/hello/hard1"},
		{Name: "usr/share/hello/dangling", Type: tar.TypeSymlink, Link: "nowhere"},
		{Name: "usr/share/hello/hard1", Data: content},
		{Name: "usr/share/hello/hard2", Type: tar.TypeLink, Link: "usr/share/hello/hard1"},
		{Name: "usr/share/hello/hard3", Type: tar.TypeLink, Link: "usr/share/hello/hard1"},
		{Name: "usr/share/hello/long/" + strings.Repeat("long/", 30) + strings.Repeat("name", 60), Data: text},
		{Name: "usr/share/hello/null", Type: tar.TypeChar, Mode: 0o666, Major: 1, Minor: 3},
		{Name: "usr/share/hello/relative", Type: tar.TypeSymlink, Link: "hard1"},
		{Name: "var/lib/hello", Type: tar.TypeDir, Mode: 0o750, Owner: "nobody", Group: "nobody"},
		{Name: "var/spool/hello", Type: tar.TypeDir, Mode: 0o1777},
	}}
	if version == 1 {
		hello.Files = append(hello.Files, apktest.File{Name: "usr/share/hello/old", Data: text})
	}
	return []*apktest.Package{
		hello,
		{Name: "hello-lib", Version: v, Provides: []string{"so:libhello.so.1=1"}, Files: []apktest.File{
			{Name: "usr/lib/libhello.so.1", Type: tar.TypeSymlink, Link: "libhello.so.1.0"},
			{Name: "usr/lib/libhello.so.1.0", Mode: 0o755, Data: text},
		}},
		{Name: "trigger", Version: "1.0-r0", Triggers: []string{"/usr/share/hello"}, Scripts: map[string]string{
			"trigger": `echo "trigger $*;" >>/var/log/scripts`,
		}, Files: []apktest.File{{Name: "usr/share/trigger", Data: text}}}, // apk takes one without files for virtual
	}
}

// bigFiles is how many files the big package has, bigSize their bytes in all.
const (
	bigFiles = 5000
	bigSize  = 30 << 20
)

// bigPackage is a package of many files.
func bigPackage() *apktest.Package {
	p := &apktest.Package{Name: "big", Version: "1.0-r0"}
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	words := []byte("the quick brown fox jumps over the lazy dog and so on ")
	for i := range bigFiles {
		size := bigSize / bigFiles
		data := make([]byte, 0, size)
		for len(data) < size { // half of it is text
			if r.IntN(2) == 0 {
				data = append(data, words[:1+r.IntN(len(words))]...)
			} else {
				data = binary.LittleEndian.AppendUint64(data, r.Uint64())
			}
		}
		p.Files = append(p.Files, apktest.File{Name: fmt.Sprintf("usr/share/big/%02d/%02d/file%04d", i/500, i/20%25, i), Data: data[:size]})
	}
	return p
}

// muslPackage is a new release of the libc that is in root.
func muslPackage(t *testing.T, root fs.FS) *apktest.Package {
	t.Helper()
	libc, err := fs.ReadFile(root, "lib/ld-musl-i386.so.1")
	if err != nil {
		t.Fatal(err)
	}
	return &apktest.Package{Name: "musl", Version: "1.2.5-r100", Provides: []string{"so:libc.musl-x86.so.1=1"}, Files: []apktest.File{
		{Name: "lib/ld-musl-i386.so.1", Mode: 0o755, Data: libc},
		{Name: "lib/libc.musl-x86.so.1", Type: tar.TypeSymlink, Link: "ld-musl-i386.so.1"},
	}}
}

// overlayRoot is Alpine's root file system as run has it: read-only, under an
// upper layer in memory, where key is known.
func overlayRoot(t *testing.T, key *apktest.Key) fs9p.FS {
	t.Helper()
	lower := guesttest.Root(t, nil)
	if err := lower.Add("etc/apk/keys/"+key.Name, memfs.Entry{Mode: fs9p.ModeRegular | 0o644, Data: bytes.NewReader(key.Public())}); err != nil {
		t.Fatal(err)
	}
	root, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// repositories serves each repository under its name.
func repositories(all map[string]apktest.Repository) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		data, ok := all[name][file]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, file, apktest.Epoch, bytes.NewReader(data))
	})
}

// script reads a test's script for the guest.
func script(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// apkConfig is a guest whose overlay root knows key, and which runs a script
// with the URL of the repositories that web serves.
func apkConfig(t *testing.T, key *apktest.Key, text string, all map[string]apktest.Repository) Config {
	t.Helper()
	cfg := networkConfig(t, "")
	cfg.Session.Root = overlayRoot(t, key)
	web := httptest.NewServer(repositories(all))
	t.Cleanup(web.Close)
	cfg.Session.Args = []string{"/bin/sh", "-c", text, "script", hostURL(web)}
	return cfg
}

// hostURL is the URL of a server on the host's loopback as the guest has it.
func hostURL(web *httptest.Server) string {
	scheme, _, _ := strings.Cut(web.URL, "://")
	return fmt.Sprintf("%s://10.0.2.2:%d", scheme, web.Listener.Addr().(*net.TCPAddr).Port)
}

// TestAPK has the image's own apk work on repositories of the test's own.
func TestAPK(t *testing.T) {
	t.Parallel()
	key := apktest.NewKey(t, "test.rsa.pub")
	v1, v2 := helloPackages(1), helloPackages(2)
	other := helloPackages(1)
	other[0].Files[0].Data = []byte("another\n")
	all := map[string]apktest.Repository{
		"v1":     apktest.NewRepository(key, v1...),
		"v2":     apktest.NewRepository(key, append(v2, muslPackage(t, fs9p.IOFS(guesttest.Root(t, nil))))...),
		"badkey": apktest.NewRepository(apktest.NewKey(t, key.Name), v1...),
	}
	const file = "x86/hello-1.0-r0.apk"
	all["badhash"], all["truncated"] = maps.Clone(all["v1"]), maps.Clone(all["v1"])
	all["badhash"][file] = apktest.NewRepository(key, other...)[file]
	all["truncated"][file] = all["v1"][file][:len(all["v1"][file])-5000]
	g := newGuest(t, apkConfig(t, key, script(t, "apk/http.sh"), all))
	g.want(g.live(), Exited, 0)
}

// TestAPKManyFiles has apk install a package of 5,000 files and compares what
// the host then finds.
func TestAPKManyFiles(t *testing.T) {
	t.Parallel()
	key := apktest.NewKey(t, "test.rsa.pub")
	many := bigPackage()
	g := newGuest(t, apkConfig(t, key, `
echo "$1/big" >/etc/apk/repositories
apk add --no-cache big && apk info -e big && sync`, map[string]apktest.Repository{"big": apktest.NewRepository(key, many)}))
	start := time.Now()
	g.want(g.live(), Exited, 0)
	t.Logf("%d files in %v, %d million instructions", len(many.Files), time.Since(start), g.Instructions()/1e6)
	root := fs9p.IOFS(g.cfg.Session.Root)
	for _, f := range many.Files {
		got, err := fs.ReadFile(root, f.Name)
		if err != nil || !bytes.Equal(got, f.Data) {
			t.Fatalf("%s differs, or %v", f.Name, err)
		}
	}
	n := 0
	err := fs.WalkDir(root, "usr/share/big", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil || n != len(many.Files) {
		t.Errorf("%d files, want %d; %v", n, len(many.Files), err)
	}
}

// TestAPKOverTLS has apk work with an https server whose authority the guest
// knows only by a file that was added to its store.
func TestAPKOverTLS(t *testing.T) {
	t.Parallel()
	key := apktest.NewKey(t, "test.rsa.pub")
	all := map[string]apktest.Repository{"v1": apktest.NewRepository(key, helloPackages(1)...)}
	authority, certificate := newAuthority(t)
	web := httptest.NewUnstartedServer(repositories(all))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // of what the guest refuses
	web.StartTLS()
	defer web.Close()
	cfg := networkConfig(t, "")
	cfg.Session.Root = overlayRoot(t, key)
	cfg.Session.Args = []string{"/bin/sh", "-c", script(t, "apk/https.sh"), "script", hostURL(web)}
	cfg.Session.Env = []string{"AUTHORITY=" + string(authority)}
	g := newGuest(t, cfg)
	g.want(g.live(), Exited, 0)
}

// newAuthority makes a certificate authority, and a certificate of its for
// 10.0.2.2.
func newAuthority(t *testing.T) (authority []byte, server tls.Certificate) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
		if signer == nil {
			signer = k
		}
		der, err := x509.CreateCertificate(cryptorand.Reader, template, parent, &k.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, k
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, caKey := sign(ca, ca, nil)
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "10.0.2.2"}, IPAddresses: []net.IP{{10, 0, 2, 2}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, leafKey := sign(leaf, ca, caKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}
