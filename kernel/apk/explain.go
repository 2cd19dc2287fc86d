package apk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"alpinevm/internal/fetch"
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
	words := fetch.Words{
		Host: host(c.cfg.Mirror), Name: host(c.cfg.Mirror), Kind: "mirror", Plain: true, Else: ", or give the kernel's files (--kernel, --modules)",
	}
	return explained(what, err, explainDamage, c.explainDisk, words.Explain, explainStatus, explainContent)
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

func explainDamage(err error) (why, next string) {
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return damaged.Error(), "without --pull never it is fetched again"
	}
	return "", ""
}

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

func explainStatus(err error) (why, next string) {
	var s *statusError
	if !errors.As(err, &s) {
		return "", ""
	}
	at := host(s.url)
	if s.proxy != "" {
		at += ", or the proxy " + s.proxy + ","
	}
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
	var space *spaceError
	errors.As(err, &path)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk of " + c.cfg.Dir + " is full", "make room there, or set XDG_CACHE_HOME to a folder on another disk"
	case errors.As(err, &space):
		return "the disk of " + c.cfg.Dir + " has no room for it (" + space.Error() + ")", "make room there, or set XDG_CACHE_HOME to a folder on another disk"
	case path != nil && strings.HasPrefix(path.Path, c.cfg.Dir) && path.Op == "read":
		return "the file " + path.Path + " of the cache cannot be read (" + cause(err) + ")", "remove it: it is fetched again then"
	case errors.Is(err, syscall.EROFS), path != nil && strings.HasPrefix(path.Path, c.cfg.Dir):
		return "the cache " + c.cfg.Dir + " cannot be written (" + cause(err) + ")", "make it writable, or set XDG_CACHE_HOME to a folder that is"
	}
	return "", ""
}
