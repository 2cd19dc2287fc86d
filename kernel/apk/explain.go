package apk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Error is an error in a line: what failed, why, and what to do about it.
type Error struct {
	What, Why, Next string
	Err             error // all that is known
}

func (e *Error) Error() string {
	s := e.What + ": " + e.Why
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// explain makes an Error of err, of what concerns a package in a repository.
func (c *Cache) explain(what string, err error) error {
	return explained(what, err, explainContent, c.explainStatus, c.explainDisk, c.explainNetwork)
}

// explainFile is explain of what concerns a local file.
func (c *Cache) explainFile(what string, err error) error {
	return explained(what, err, explainSignature, c.explainDisk)
}

// explained asks each of how why err is and what to do, until one knows.
func explained(what string, err error, how ...func(error) (why, next string)) error {
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

const dropped = "; it was dropped"

func explainContent(err error) (why, next string) {
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted", ""
	case errors.Is(err, ErrMissing):
		return ErrMissing.Error(), "without --pull never it is fetched"
	case errors.Is(err, ErrNotFound):
		return oneLine(err), "name another version, or give the kernel's files"
	case errors.Is(err, ErrSignature), errors.Is(err, ErrHash):
		return oneLine(err) + dropped, "try again; if it stays so, the mirror, or something on the way to it, changes what it delivers"
	case errors.Is(err, ErrTruncated):
		return oneLine(err) + dropped, "try again"
	case errors.Is(err, ErrFormat):
		return oneLine(err) + dropped, "try again; a login page of the network may be in between"
	}
	return "", ""
}

func explainSignature(err error) (why, next string) {
	var unknown *unknownKeysError
	switch {
	case errors.As(err, &unknown):
		return oneLine(err), "if you trust its owner, name the key's file by --mirror-key"
	case errors.Is(err, ErrSignature):
		return oneLine(err), "the file was changed behind its signing; get it again"
	}
	return "", ""
}

func (c *Cache) explainStatus(err error) (why, next string) {
	var s *statusError
	if !errors.As(err, &s) {
		return "", ""
	}
	at := host(s.url)
	switch {
	case s.code == http.StatusNotFound:
		return fmt.Sprintf("%s has no %s", at, s.url), "check the release and the mirror"
	case s.code == http.StatusTooManyRequests:
		return at + " has had too many requests from here", "wait some minutes and try again"
	case s.code >= 500:
		return fmt.Sprintf("%s has an error of its own: %d %s", at, s.code, http.StatusText(s.code)), "try again later, or with another mirror"
	}
	return fmt.Sprintf("%s answers %d %s", at, s.code, http.StatusText(s.code)), "check the mirror, and the network's proxy (HTTPS_PROXY)"
}

func (c *Cache) explainDisk(err error) (why, next string) {
	var path *fs.PathError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk of " + c.cfg.Dir + " is full", "make room there, or set XDG_CACHE_HOME to a folder on another disk"
	case errors.Is(err, syscall.EROFS), path != nil && strings.HasPrefix(path.Path, c.cfg.Dir):
		return "the cache " + c.cfg.Dir + " cannot be written (" + cause(err) + ")", "make it writable, or set XDG_CACHE_HOME to a folder that is"
	}
	return "", ""
}

func (c *Cache) explainNetwork(err error) (why, next string) {
	at := host(c.cfg.Mirror)
	var dns *net.DNSError
	var timeout net.Error
	var op *net.OpError
	var u *url.Error
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	const other = "or give the kernel's files (--kernel, --modules)"
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return "there is no network (" + cause(err) + ")", "connect this machine, " + other
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + dns.Name + " in DNS", "check the network, " + other
	case errors.As(err, &dns):
		return "the name " + dns.Name + " could not be looked up (" + dns.Err + ")", "check the network and its DNS server, " + other
	case errors.Is(err, syscall.ECONNREFUSED):
		return at + " refuses connections", "check the mirror and the network, " + other
	case errors.As(err, &verify), errors.As(err, &record):
		return "no TLS connection to " + at + " (" + cause(err) + ")", "check this machine's clock and certificates; a proxy may be in between"
	case errors.As(err, &timeout) && timeout.Timeout():
		return at + " does not answer", "try again, check the network and its proxy (HTTPS_PROXY), " + other
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &op), errors.As(err, &u):
		return "the connection to " + at + " broke (" + cause(err) + ")", "try again"
	}
	return "", ""
}
