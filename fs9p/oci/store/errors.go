package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"alpinevm/fs9p/tarball"
)

// Error is an error in a line: what failed, why, and what to do about it.
type Error struct {
	What string // such as "pull alpine:3.20"
	Why  string
	Next string
	Err  error // all that is known
}

func (e *Error) Error() string {
	s := e.Why
	if e.What != "" {
		s = e.What + ": " + s
	}
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// explain makes an Error of err, of what concerns the image of that name.
func (s *Store) explain(name string, err error) error {
	r, refErr := ParseReference(name)
	if refErr != nil {
		r = Reference{}
	}
	return explained("image "+name, err, s.explainDisk, explainImage,
		func(err error) (string, string) { return explainStatus(r, err) },
		func(err error) (string, string) { return explainTLS(r, err) },
		func(err error) (string, string) { return explainNetwork(r, err) })
}

// explainFile is explain of what comes from a file.
func (s *Store) explainFile(name string, err error) error {
	return explained(name, err, s.explainDisk, explainImage)
}

// explained asks each of how why err is and what to do, until one knows.
func explained(what string, err error, how ...func(error) (why, next string)) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	e := &Error{What: what, Err: err}
	for _, f := range how {
		if e.Why, e.Next = f(err); e.Why != "" {
			return e
		}
	}
	e.Why = oneLine(err)
	return e
}

// oneLine gives an error's text without the line ends that others' texts have.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// host is the registry's name for a message.
func host(r Reference) string {
	if r.ref == nil {
		return "the registry"
	}
	return r.registry()
}

// errDiskFull is how Windows says that a disk is full (ERROR_DISK_FULL).
const errDiskFull = syscall.Errno(112)

func (s *Store) explainDisk(err error) (why, next string) {
	var path *fs.PathError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), runtime.GOOS == "windows" && errors.Is(err, errDiskFull):
		return "the disk of " + s.cfg.Dir + " is full", "make room there, for instance by alpinevm rmi, or set XDG_CACHE_HOME to a folder on another disk"
	case errors.Is(err, syscall.EDQUOT):
		return "the quota for " + s.cfg.Dir + " is used up", "make room there, for instance by alpinevm rmi"
	case errors.Is(err, syscall.EROFS), path != nil && strings.HasPrefix(path.Path, s.cfg.Dir) && errors.Is(err, fs.ErrPermission):
		return "the cache " + s.cfg.Dir + " cannot be written (" + cause(err) + ")", "make it writable, or set XDG_CACHE_HOME to a folder that is"
	}
	return "", ""
}

// cause is the innermost error's text.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return oneLine(err)
		}
		err = inner
	}
}

func explainImage(err error) (why, next string) {
	var platform *PlatformError
	var form *tarball.FormError
	switch {
	case errors.As(err, &form):
		return oneLine(err), "want a folder or a tar archive, plain or compressed by " + tarball.Forms
	case errors.Is(err, ErrMissing):
		return "it is not in the cache", "alpinevm pull fetches it, alpinevm images lists what is there"
	case errors.As(err, &platform):
		return oneLine(platform), "choose an image or a tag that has it"
	case errors.Is(err, errKind):
		return oneLine(err), "choose another tag"
	case errors.Is(err, ErrDigest), strings.Contains(err.Error(), "error verifying sha256"):
		return "what came is not what its digest promised, and was dropped (" + oneLine(err) + ")",
			"try again; if it stays so, the image is damaged where it comes from"
	case errors.Is(err, context.Canceled):
		return "interrupted", "what is complete is kept for the next time"
	}
	return "", ""
}

// explainStatus explains what the registry, or the server that it sends us to
// for a token, has answered.
func explainStatus(r Reference, err error) (why, next string) {
	var t *transport.Error
	if !errors.As(err, &t) {
		return "", ""
	}
	codes := map[transport.ErrorCode]bool{}
	said := ""
	for _, d := range t.Errors {
		codes[d.Code] = true
		said = strings.Join(strings.Fields(d.Message), " ")
	}
	if said != "" {
		said = fmt.Sprintf(" (%q)", said)
	}
	var helper *helperError
	switch t.StatusCode {
	case http.StatusTooManyRequests:
		if r.ref != nil && r.onHub() {
			mirror := ""
			if repo := r.ref.Context().RepositoryStr(); strings.HasPrefix(repo, hubOfficial) {
				mirror = ", or use public.ecr.aws/docker/" + repo + r.suffix()
			}
			return "Docker Hub's limit on pulls is reached" + said + ": it counts the images that this address, or account, has pulled in the last hours",
				"log in with docker login, which allows more, or wait an hour" + mirror
		}
		return host(r) + " has had too many requests from here" + said, "wait some minutes and try again, or log in with docker login"
	case http.StatusUnauthorized, http.StatusForbidden:
		if errors.As(err, &helper) {
			return host(r) + " wants credentials, and they could not be had (" + oneLine(helper.helper) + ")",
				"repair the credential helper that ~/.docker/config.json names, or log in with docker login"
		}
		return host(r) + " refuses access" + said + ": the image is private, or there is none of that name",
			"check the name, or log in with docker login " + loginHost(r) + "(~/.docker/config.json is read)"
	case http.StatusNotFound:
		switch {
		case codes[transport.NameUnknownErrorCode] || r.ref == nil:
			return host(r) + " has no repository of that name" + said, "check the name"
		case r.digest != "":
			return host(r) + " has no such digest in " + r.Repository() + said, "check the digest; old ones may have been removed"
		}
		return host(r) + " has no tag " + r.Tag() + " in " + r.Repository() + ", or no such repository" + said, "check the name and the tag"
	}
	if t.StatusCode >= 500 {
		return fmt.Sprintf("%s has an error of its own: %d %s%s", host(r), t.StatusCode, http.StatusText(t.StatusCode), said), "try again later"
	}
	return "", ""
}

func loginHost(r Reference) string {
	if r.ref == nil || r.onHub() {
		return ""
	}
	return r.registry() + " "
}

func explainTLS(r Reference, err error) (why, next string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var plain errPlain
	switch {
	case errors.As(err, &plain), errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return host(r) + " speaks HTTP without TLS, which is for localhost only", "give the registry a certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the TLS certificate of " + host(r) + " has expired or is not valid yet", "check this machine's clock; if it is right, the registry has to renew"
	case errors.As(err, &name):
		return "the TLS certificate of " + host(r) + " is for another name", "check the registry's name; a proxy or a login page of the network may be in between"
	case errors.As(err, &unknown):
		return "the TLS certificate of " + host(r) + " is signed by an authority that this machine does not know",
			"add the authority to the system's certificates, or name its file in SSL_CERT_FILE"
	case errors.As(err, &verify), errors.As(err, &invalid), errors.As(err, &alert):
		return "no TLS connection to " + host(r) + " (" + cause(err) + ")", "check the registry's certificate"
	}
	return "", ""
}

func explainNetwork(r Reference, err error) (why, next string) {
	var dns *net.DNSError
	var timeout net.Error
	var op *net.OpError
	var u *url.Error
	const cached = "; an image that is cached starts without"
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return "there is no network (" + cause(err) + ")", "connect this machine and try again" + cached
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + dns.Name + " in DNS", "check the registry's name, and the network"
	case errors.As(err, &dns):
		return "the name " + dns.Name + " could not be looked up (" + dns.Err + ")", "check the network and its DNS server" + cached
	case errors.Is(err, syscall.ECONNREFUSED):
		return host(r) + " refuses connections", "check the port, and that the registry runs"
	case errors.As(err, &timeout) && timeout.Timeout():
		return host(r) + " does not answer", "try again, or check the network and its proxy (HTTPS_PROXY)" + cached
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &op), errors.As(err, &u):
		return "the connection to " + host(r) + " broke (" + cause(err) + ")", "try again"
	}
	return "", ""
}

// passing tells whether an error may be gone when the same is tried again.
func passing(err error) bool {
	var t *transport.Error
	if errors.As(err, &t) {
		return t.StatusCode >= 500 && t.StatusCode != http.StatusNotImplemented || t.StatusCode == http.StatusRequestTimeout
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary && !dns.IsNotFound
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}
