package alpinevm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"alpinevm/fs9p"
)

// user is who a session runs as.
type user struct {
	uid, gid uint32
	home     string
}

// lookupUser resolves "name", "uid", "name:group" and so on against the root's
// /etc/passwd and /etc/group, as docker does; empty is root. A number needs no
// entry, nor files that can be read: root can always have a look.
func lookupUser(root fs.FS, s string) (user, error) {
	if s == "" {
		s = "0"
	}
	name, group, hasGroup := strings.Cut(s, ":")
	u := user{home: "/"}
	n, numErr := strconv.ParseUint(name, 10, 32)
	fields, err := findEntry(root, "etc/passwd", name, 7)
	if err != nil && numErr != nil {
		return u, err
	}
	switch {
	case fields != nil:
		uid, err1 := strconv.ParseUint(fields[2], 10, 32)
		gid, err2 := strconv.ParseUint(fields[3], 10, 32)
		if err1 != nil || err2 != nil {
			return u, fmt.Errorf("the line of %q in the image's /etc/passwd is malformed", name)
		}
		u = user{uint32(uid), uint32(gid), fields[5]}
	case numErr == nil:
		u.uid = uint32(n)
		if n == 0 {
			u.home = "/root"
		}
	default:
		return u, fmt.Errorf("%q is not in the image's /etc/passwd", name)
	}
	if !hasGroup {
		return u, nil
	}
	fields, err = findEntry(root, "etc/group", group, 4)
	if fields != nil {
		group = fields[2]
	}
	gid, numErr := strconv.ParseUint(group, 10, 32)
	switch {
	case numErr != nil && err != nil:
		return u, err
	case numErr != nil:
		return u, fmt.Errorf("the group %q is not in the image's /etc/group", group)
	}
	u.gid = uint32(gid)
	return u, nil
}

// maxUsers bounds /etc/passwd and /etc/group, in bytes.
const maxUsers = 16 << 20

// findEntry finds the line of a passwd-like file by name (field 0) or number
// (field 2); nil where there is none.
func findEntry(root fs.FS, file, key string, fields int) ([]string, error) {
	data, err := fs9p.ReadFile(root, file, maxUsers)
	if errors.Is(err, fs9p.ErrTooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, nil // an image without the file has no names
	}
	var byNumber []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		f := strings.Split(s.Text(), ":")
		if len(f) < fields {
			continue
		}
		if f[0] == key {
			return f, nil
		}
		if f[2] == key && byNumber == nil {
			byNumber = f
		}
	}
	return byNumber, nil
}
