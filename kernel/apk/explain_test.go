package apk

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// failing is a transport that cannot connect.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: f.err}
}

// TestErrorsOfNetwork: each is a line that says what to do.
func TestErrorsOfNetwork(t *testing.T) {
	const other = "or give the kernel's files (--kernel, --modules)"
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{os.NewSyscallError("connect", syscall.ENETUNREACH), []string{"there is no network (network is unreachable); connect this machine and try again, " + other}},
		{&net.DNSError{Err: "no such host", Name: "mirror.example", IsNotFound: true}, []string{"there is no host mirror.example in DNS; check the mirror's name, and the network, " + other}},
		{&net.DNSError{Err: "server misbehaving", Name: "mirror.example", IsTemporary: true}, []string{"could not be looked up (server misbehaving); check the network and its DNS server, " + other}},
		{os.NewSyscallError("connect", syscall.ECONNREFUSED), []string{"mirror.example refuses connections; check the port, and that the mirror runs, " + other}},
		{os.ErrDeadlineExceeded, []string{"mirror.example does not answer; try again"}},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, []string{"the TLS certificate of mirror.example is signed by an authority that this machine does not know; add the authority"}},
		{tls.RecordHeaderError{Msg: "no TLS"}, []string{"mirror.example speaks HTTP without TLS; name it by a URL with http://"}},
		{os.NewSyscallError("read", syscall.ECONNRESET), []string{"the connection to mirror.example broke (", "; try again"}},
	} {
		if runtime.GOOS == "windows" || runtime.GOOS == "js" {
			tt.want = tt.want[len(tt.want)-1:] // the host's texts differ
		}
		c := New(Config{Dir: t.TempDir(), Mirror: "https://mirror.example/alpine", Transport: failing{tt.err}})
		c.pause = time.Millisecond
		_, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "package linux-virt of Alpine v3.20: ") {
			t.Errorf("%v: %v", tt.err, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %q", want, err)
			}
		}
	}
}

// TestErrorsOfDisk: they name the cache and what to do.
func TestErrorsOfDisk(t *testing.T) {
	c := New(Config{Dir: "/cache/apk"})
	for _, tt := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "x: the disk of /cache/apk is full; make room there, or set XDG_CACHE_HOME to a folder on another disk"},
		{syscall.EDQUOT, "x: the disk of /cache/apk is full; make room there, or set XDG_CACHE_HOME to a folder on another disk"},
		{syscall.EROFS, "; make it writable, or set XDG_CACHE_HOME to a folder that is"},
		{syscall.EACCES, "; make it writable, or set XDG_CACHE_HOME to a folder that is"},
	} {
		for _, explain := range []func(string, error) error{c.explain, c.explainFile} {
			err := explain("x", &fs.PathError{Op: "write", Path: "/cache/apk/new/1", Err: tt.err})
			if !strings.HasSuffix(err.Error(), tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("%v: %v", tt.err, err)
			}
		}
	}
}
