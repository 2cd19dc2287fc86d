package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"alpinevm/internal/fetch"
	"alpinevm/internal/tarball"
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
	return explained("image "+name, err, s.explainDisk, func(err error) (string, string) { return explainDamage(name, err) }, explainImage,
		func(err error) (string, string) { return explainStatus(r, err) }, r.words().Explain)
}

// explainFile is explain of what comes from a file.
func (s *Store) explainFile(name string, err error) error {
	return explained(name, err, s.explainDisk, explainImage)
}

// words are how messages of the network name the registry.
func (r Reference) words() fetch.Words {
	w := fetch.Words{Name: host(r), Kind: "registry", Else: "; an image that is cached starts without"}
	if r.ref != nil {
		w.Host = r.ref.Context().RegistryStr()
	}
	return w
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
	const room, move = "make room there, for instance by alpinevm rmi", ", or set XDG_CACHE_HOME to a folder "
	var path *fs.PathError
	errors.As(err, &path)
	ours := path != nil && strings.HasPrefix(path.Path, s.cfg.Dir)
	var space *spaceError
	var index *indexError
	switch {
	case errors.Is(err, syscall.ENOSPC), runtime.GOOS == "windows" && errors.Is(err, errDiskFull):
		return "the disk of " + s.cfg.Dir + " is full", room + move + "on another disk"
	case errors.As(err, &space):
		return "the disk of " + s.cfg.Dir + " has no room for it (" + space.Error() + ")", room + move + "on another disk"
	case errors.Is(err, syscall.EDQUOT):
		return "the quota for " + s.cfg.Dir + " is used up", room
	case errors.As(err, &index):
		return oneLine(index), "remove both; images are pulled again then, which takes what is there"
	case ours && path.Op != "write" && there(path.Path, -1):
		return "the file " + path.Path + " of the cache cannot be read (" + cause(err) + ")", "make it readable, or remove it: it is fetched again then"
	case errors.Is(err, syscall.EROFS), ours && errors.Is(err, fs.ErrPermission):
		return "the cache " + s.cfg.Dir + " cannot be written (" + cause(err) + ")", "make it writable" + move + "that is"
	case ours:
		return "the cache " + s.cfg.Dir + " fails (" + oneLine(path) + ")", "check its disk" + move + "on another one"
	}
	return "", ""
}

// explainDamage explains what of an image in the cache has been changed.
func explainDamage(name string, err error) (why, next string) {
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		return "", ""
	}
	if _, err := ParseReference(name); err != nil || isID(name) {
		return oneLine(damaged), "remove the image by alpinevm rmi, and get it again"
	}
	return oneLine(damaged), "alpinevm pull " + name + " fetches it again"
}

// withDamage says of an error of fetching an image again why that was tried.
func withDamage(err, before error) error {
	var e *Error
	var damaged *DamagedError
	if !errors.As(err, &e) || !errors.As(before, &damaged) {
		return err
	}
	return &Error{e.What, oneLine(damaged) + " or gone, and could not be fetched again: " + e.Why, e.Next, errors.Join(err, before)}
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
	var limit *LimitError
	var part *missingPart
	switch {
	case errors.As(err, &limit) && limit.Hard:
		return oneLine(limit), ""
	case errors.As(err, &limit):
		return oneLine(limit), "if you trust it, allow that with --large-image"
	case errors.As(err, &form):
		return oneLine(err), "want a folder or a tar archive, plain or compressed by " + tarball.Forms
	case errors.As(err, &part):
		return "its part " + short(part.digest) + " is not there", "it was not pushed whole, or old parts were removed: choose another tag"
	case errors.Is(err, ErrMissing):
		return "it is not in the cache", "alpinevm pull fetches it, alpinevm images lists what is there"
	case errors.As(err, &platform) && platform.insists():
		return oneLine(platform), "choose an image or a tag that has it, or take this one for the 32-bit programs in it: --platform linux/amd64"
	case errors.As(err, &platform):
		return oneLine(platform), "choose an image or a tag that has it"
	case errors.Is(err, errNoJSON):
		return oneLine(err), "check the registry's name; a proxy or a login page of the network may be in between"
	case errors.Is(err, errOld):
		return errOld.Error(), "push it again with a newer tool, or choose another tag"
	case errors.Is(err, errKind), errors.Is(err, errBoth):
		return oneLine(err), "choose another tag"
	case errors.Is(err, ErrDigest):
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
		var later *laterError
		if errors.As(err, &later) && later.later > 0 {
			return fmt.Sprintf("%s has had too many requests from here%s", host(r), said), fmt.Sprintf("it asks to wait %v; try again then, or log in with docker login", later.later)
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
