package store

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// checkError wants one line with the given parts, in their order.
func checkError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	rest := err.Error()
	if strings.ContainsAny(rest, "\n\r") || len(rest) > 500 {
		t.Errorf("not one line: %q", rest)
	}
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%q has no %q", err, p)
			return
		}
		rest = after
	}
}

// TestErrorsOfStatus has a registry that refuses.
func TestErrorsOfStatus(t *testing.T) {
	srv := newServer(t)
	for _, tt := range []struct {
		status int
		body   string
		ref    string
		want   []string
	}{
		{401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication\nrequired"}]}`, "a:1",
			[]string{"image HOST/a:1: HOST refuses access", `"authentication required"`, "private, or there is none of that name; ", "docker login HOST"}},
		{403, `{"errors":[{"code":"DENIED","message":"no"}]}`, "a:1", []string{"HOST refuses access", "; check the name"}},
		{404, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, "a:1", []string{"HOST has no tag 1 in HOST/a", "; check the name and the tag"}},
		{404, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}`, "a:1", []string{"HOST has no repository of that name", "; check the name"}},
		{404, `not found`, "a@sha256:" + strings.Repeat("0", 64), []string{"has no such digest", "; check the digest"}},
		{429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`, "a:1", []string{"too many requests", `"slow down"`, "; wait"}},
		{500, `oops`, "a:1", []string{"an error of its own: 500 Internal Server Error", "; try again later"}},
	} {
		srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v2/" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(tt.status)
			w.Write([]byte(tt.body))
			return true
		})
		s := newStore(t, t.TempDir())
		_, _, err := s.Pull(ctx, srv.host+"/"+tt.ref)
		for i := range tt.want {
			tt.want[i] = strings.ReplaceAll(tt.want[i], "HOST", srv.host)
		}
		checkError(t, err, tt.want...)
	}
}

// through sends every request to a server, whatever its host, and keeps TLS.
func through(addr string, roots *x509.CertPool) http.RoundTripper {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}
}

// hub429 is a server under Docker Hub's name that counts the pulls it refuses.
func hub429(t *testing.T) (http.RoundTripper, *int) {
	pulls := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		pulls++
		w.WriteHeader(429)
		w.Write([]byte(`{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]}`))
	}))
	t.Cleanup(srv.Close)
	cert := certificate(t, hubRegistry, time.Now().Add(time.Hour))
	srv.TLS.Certificates = []tls.Certificate{cert.Certificate}
	return through(srv.Listener.Addr().String(), cert.roots), &pulls
}

func TestDockerHubLimit(t *testing.T) {
	tr, pulls := hub429(t)
	for ref, want := range map[string]string{
		"alpine:3.20":      "docker login, which allows more, or wait an hour, or use public.ecr.aws/docker/library/alpine:3.20",
		"i386/alpine:3.20": "docker login, which allows more, or wait an hour",
	} {
		*pulls = 0
		s := New(Config{Dir: t.TempDir(), Transport: tr, Keychain: nobody{}})
		_, _, err := s.Pull(ctx, ref)
		checkError(t, err, "image "+ref+": Docker Hub's limit on pulls is reached", "unauthenticated pull rate limit", "it counts the images that this address, or account, has pulled", want)
		if *pulls != 1 || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d tries: %v", *pulls, err)
		}
	}
}

type testCertificate struct {
	tls.Certificate
	roots *x509.CertPool
}

// certificate makes one that signs itself.
func certificate(t *testing.T, host string, until time.Time) testCertificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return testCertificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots}
}

func TestErrorsOfTLS(t *testing.T) {
	const host = "registry.example"
	good := certificate(t, host, time.Now().Add(time.Hour))
	expired := certificate(t, host, time.Now().Add(-24*time.Hour))
	other := certificate(t, "other.example", time.Now().Add(time.Hour))
	for _, tt := range []struct {
		name  string
		cert  testCertificate
		roots *x509.CertPool
		want  []string
	}{
		{"unknown", good, x509.NewCertPool(), []string{"signed by an authority that this machine does not know; ", "SSL_CERT_FILE"}},
		{"expired", expired, expired.roots, []string{"has expired or is not valid yet; ", "clock"}},
		{"name", other, other.roots, []string{"is for another name; ", "check the registry's name"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{tt.cert.Certificate}}
			srv.StartTLS()
			defer srv.Close()
			s := New(Config{Dir: t.TempDir(), Transport: through(srv.Listener.Addr().String(), tt.roots), Keychain: nobody{}})
			_, _, err := s.Pull(ctx, host+"/a")
			checkError(t, err, append([]string{"image " + host + "/a: the TLS certificate of " + host}, tt.want...)...)
		})
	}
	t.Run("none", func(t *testing.T) {
		srv := newServer(t)
		for _, host := range []string{host, "10.0.0.1:5000"} {
			s := New(Config{Dir: t.TempDir(), Transport: through(srv.host, nil), Keychain: nobody{}})
			_, _, err := s.Pull(ctx, host+"/a")
			checkError(t, err, host+" speaks HTTP without TLS", "; give the registry a certificate")
		}
		if n := srv.count("GET"); n > 0 {
			t.Errorf("%d requests without TLS", n)
		}
	})
}

// failing is a transport that cannot connect.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: f.err}
}

func TestErrorsOfNetwork(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{os.NewSyscallError("connect", syscall.ENETUNREACH), []string{"there is no network (network is unreachable); connect this machine"}},
		{&net.DNSError{Err: "no such host", Name: "registry.example", IsNotFound: true}, []string{"there is no host registry.example in DNS; check the registry's name"}},
		{&net.DNSError{Err: "server misbehaving", Name: "registry.example", IsTemporary: true}, []string{"could not be looked up (server misbehaving); check the network and its DNS"}},
		{os.NewSyscallError("connect", syscall.ECONNREFUSED), []string{"refuses connections; check the port"}},
		{os.ErrDeadlineExceeded, []string{"does not answer; "}},
		{os.NewSyscallError("read", syscall.ECONNRESET), []string{"the connection to registry.example broke (", "; try again"}},
	} {
		if runtime.GOOS == "windows" || runtime.GOOS == "js" {
			tt.want = tt.want[len(tt.want)-1:] // the host's texts differ
		}
		s := New(Config{Dir: t.TempDir(), Transport: failing{tt.err}, Keychain: nobody{}})
		s.pause = time.Millisecond
		_, _, err := s.Pull(ctx, "registry.example/a:1")
		checkError(t, err, append([]string{"image registry.example/a:1: "}, tt.want...)...)
	}
}

// fullFile is a file on a disk that is full after some bytes.
type fullFile struct {
	*os.File
	left int
	err  error
}

func (f *fullFile) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n, err := f.File.Write(p[:n]); err != nil {
		return n, err
	}
	if n < len(p) {
		return n, &os.PathError{Op: "write", Path: f.Name(), Err: f.err}
	}
	return n, nil
}

func TestErrorsOfDisk(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": strings.Repeat("0123456789", 10_000)})))
	ref := srv.host + "/a:1"
	dir := t.TempDir()
	for _, tt := range []struct {
		room int
		err  error
		want []string
	}{
		{100, syscall.ENOSPC, []string{"the disk of " + dir + " is full; make room there", "alpinevm rmi", "XDG_CACHE_HOME"}},
		{5000, syscall.ENOSPC, []string{"the disk of " + dir + " is full; make room there"}},
		{5000, syscall.EDQUOT, []string{"the quota for " + dir + " is used up"}},
		{0, syscall.EROFS, []string{"the cache " + dir + " cannot be written (", "); make it writable, or set XDG_CACHE_HOME"}},
	} {
		s := newStore(t, dir)
		create := s.create
		s.create = func(dir, pattern string) (file, error) {
			f, err := create(dir, pattern)
			if err != nil {
				return nil, err
			}
			return &fullFile{f.(*os.File), tt.room, tt.err}, nil
		}
		_, _, err := s.Pull(ctx, ref)
		checkError(t, err, append([]string{"image " + ref + ": "}, tt.want...)...)
		if left := files(t, s, ingestDir); len(left) > 0 {
			t.Errorf("left in ingest: %v", left)
		}
	}
	s := newStore(t, dir)
	if _, _, err := s.Pull(ctx, ref); err != nil {
		t.Errorf("with room again: %v", err)
	}

	// What is a file where a folder should be cannot be written even by root.
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := newStore(t, filepath.Join(file, "cache")).Pull(ctx, ref); err == nil {
		t.Error("a cache below a file")
	}
}

// TestReadOnly uses a store that cannot be written, which is enough for what it
// has.
func TestReadOnly(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("not here: permissions do not bind root (TestUnprivileged runs this as another user), and Windows has others")
	}
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	if _, _, err := s.Pull(ctx, srv.host+"/a:1"); err != nil {
		t.Fatal(err)
	}
	dirs := []string{blobsDir, layersDir, treesDir, ingestDir, locksDir, "."}
	for _, d := range dirs {
		os.Chmod(s.path(d), 0o555)
	}
	defer func() {
		for _, d := range dirs {
			os.Chmod(s.path(d), 0o755)
		}
	}()
	img, err := s.Image(ctx, srv.host+"/a:1", Missing)
	if err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, img, "f"); got != "data" {
		t.Errorf("%q", got)
	}
	srv.push(t, "a:2", image(t, "386"))
	_, _, err = s.Pull(ctx, srv.host+"/a:2")
	checkError(t, err, "cannot be written", "make it writable")
}

// TestCredentials has a registry that wants a name and a password, and the ways
// in which docker keeps them.
func TestCredentials(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "secret"})))
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if user, pass, ok := r.BasicAuth(); ok && user == "user" && pass == "pass word" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(401)
		return true
	})
	bin := t.TempDir()
	script := "#!/bin/sh\necho '{\"ServerURL\":\"x\",\"Username\":\"user\",\"Secret\":\"pass word\"}'\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-good"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	auth := base64.StdEncoding.EncodeToString([]byte("user:pass word"))
	for _, tt := range []struct {
		config string
		want   string // of the error
		unix   bool
	}{
		{fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, srv.host, auth), "", false},
		{fmt.Sprintf(`{"credHelpers":{%q:"good"}}`, srv.host), "", true},
		{`{"credsStore":"good"}`, "", true},
		{`{}`, "refuses access", false},
		{`{"credsStore":"missing"}`, "wants credentials, and they could not be had (", false},
	} {
		if tt.unix && runtime.GOOS == "windows" {
			continue
		}
		home := t.TempDir()
		t.Setenv("HOME", home)
		t.Setenv("DOCKER_CONFIG", home)
		if err := os.WriteFile(filepath.Join(home, "config.json"), []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(Config{Dir: t.TempDir(), Keychain: authn.DefaultKeychain})
		_, _, err := s.Pull(ctx, srv.host+"/a:1")
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.config, err)
			}
			continue
		}
		checkError(t, err, tt.want)
	}

	// A helper that is not there is no reason against a public image.
	srv.answer(nil)
	s := New(Config{Dir: t.TempDir(), Keychain: authn.DefaultKeychain})
	if _, _, err := s.Pull(ctx, srv.host+"/a:1"); err != nil {
		t.Errorf("a public image: %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "plain", map[string]string{"f": strings.Repeat("x", 100_000)}))
	srv.push(t, "a:1", img)
	ctx, cancel := context.WithCancel(ctx)
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		layers, _ := img.Layers()
		if d, _ := layers[0].Digest(); !strings.HasSuffix(r.URL.Path, d.String()) {
			return false
		}
		w.Write(make([]byte, 1000))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	})
	s := newStore(t, t.TempDir())
	_, _, err := s.Pull(ctx, srv.host+"/a:1")
	checkError(t, err, "interrupted; ")
	if left := files(t, s, ingestDir); len(left) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("left in ingest: %v", left)
	}
}

func TestParseReference(t *testing.T) {
	zeros := "sha256:" + strings.Repeat("0", 64)
	for _, tt := range []struct{ in, short, full, tag, digest string }{
		{"alpine", "alpine:latest", "docker.io/library/alpine:latest", "latest", ""},
		{"alpine:3.20", "alpine:3.20", "docker.io/library/alpine:3.20", "3.20", ""},
		{"docker.io/i386/alpine", "i386/alpine:latest", "docker.io/i386/alpine:latest", "latest", ""},
		{"index.docker.io/library/alpine:3.20", "alpine:3.20", "docker.io/library/alpine:3.20", "3.20", ""},
		{"localhost:5000/x@" + zeros, "localhost:5000/x@" + zeros, "localhost:5000/x@" + zeros, "", zeros},
		{"localhost/x:1", "localhost/x:1", "localhost/x:1", "1", ""},
		{"quay.io/a/b/c:v1", "quay.io/a/b/c:v1", "quay.io/a/b/c:v1", "v1", ""},
		{"alpine:3.20@" + zeros, "alpine@" + zeros, "docker.io/library/alpine@" + zeros, "", zeros},
		{"", "", "", "", ""}, {"UPPER", "", "", "", ""}, {"a:b:c", "", "", "", ""}, {"a@sha256:12", "", "", "", ""},
		{"a b", "", "", "", ""},
	} {
		r, err := ParseReference(tt.in)
		if err != nil {
			if tt.full != "" {
				t.Errorf("%q: %v", tt.in, err)
			}
			continue
		}
		if r.String() != tt.short || r.Full() != tt.full || r.Tag() != tt.tag || r.Digest() != tt.digest {
			t.Errorf("%q: %q %q %q %q", tt.in, r.String(), r.Full(), r.Tag(), r.Digest())
		}
	}
}

func TestCheckHash(t *testing.T) {
	for _, tt := range []struct {
		h  v1.Hash
		ok bool
	}{
		{v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0f", 32)}, true},
		{v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0f", 64)}, false},
		{v1.Hash{Algorithm: "sha256", Hex: "../../../" + strings.Repeat("a", 55)}, false},
		{v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0F", 32)}, false},
		{v1.Hash{}, false},
	} {
		if err := checkHash(tt.h); (err == nil) != tt.ok {
			t.Errorf("%v: %v", tt.h, err)
		}
	}
}
