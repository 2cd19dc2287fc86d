package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// User is who a program runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary ones; the first one is GID
	Home     string
}

// LookupUser resolves "name", "uid", "name:group" and so on against the root's
// /etc/passwd and /etc/group, as docker does; empty is root, and a group that is
// empty is not given. A number is never a name, and needs no entry, nor files
// that can be read: root can always have a look. Who comes without a group is in
// all that list him.
func LookupUser(root fs.FS, s string) (User, error) {
	who, group, _ := strings.Cut(s, ":")
	if who == "" {
		who = "0"
	}
	u := User{Home: "/"}
	n, numErr := strconv.ParseUint(who, 10, 32)
	entry, err := findEntry(root, "etc/passwd", who, 7)
	if err != nil && numErr != nil {
		return u, err
	}
	name := ""
	switch {
	case entry != nil:
		uid, err1 := strconv.ParseUint(entry[2], 10, 32)
		gid, err2 := strconv.ParseUint(entry[3], 10, 32)
		if err1 != nil || err2 != nil {
			return u, fmt.Errorf("the line of %q in the image's /etc/passwd is malformed", who)
		}
		u.UID, u.GID, u.Home, name = uint32(uid), uint32(gid), entry[5], entry[0]
	case numErr == nil:
		u.UID = uint32(n)
		if n == 0 {
			u.Home = "/root"
		}
	default:
		return u, fmt.Errorf("%q is not in the image's /etc/passwd", who)
	}
	if group != "" {
		u.GID, err = lookupGroup(root, group)
		u.Groups = []uint32{u.GID}
		return u, err
	}
	u.Groups, err = groupsOf(root, name, u.GID)
	if numErr == nil {
		err = nil
	}
	return u, err
}

// lookupGroup resolves a group's name or number.
func lookupGroup(root fs.FS, group string) (uint32, error) {
	n, numErr := strconv.ParseUint(group, 10, 32)
	if numErr == nil {
		return uint32(n), nil
	}
	entry, err := findEntry(root, "etc/group", group, 3)
	if err != nil {
		return 0, err
	}
	if entry == nil {
		return 0, fmt.Errorf("the group %q is not in the image's /etc/group", group)
	}
	if n, err = strconv.ParseUint(entry[2], 10, 32); err != nil {
		return 0, fmt.Errorf("the line of %q in the image's /etc/group is malformed", group)
	}
	return uint32(n), nil
}

// groupsOf gives gid and the groups that list a user, if he has a name.
func groupsOf(root fs.FS, name string, gid uint32) ([]uint32, error) {
	list := []uint32{gid}
	if name == "" {
		return list, nil
	}
	had := map[uint32]bool{gid: true}
	err := entries(root, "etc/group", 4, func(f []string) bool {
		n, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && !had[uint32(n)] && lists(f[3], name) {
			had[uint32(n)] = true
			list = append(list, uint32(n))
		}
		return len(list) <= kernel.MaxGroups
	})
	if len(list) > kernel.MaxGroups {
		return list[:1], fmt.Errorf("%q is in more than %d groups of the image's /etc/group", name, kernel.MaxGroups)
	}
	return list, err
}

// lists tells whether a group's members, between commas, have the name.
func lists(members, name string) bool {
	for m := range strings.SplitSeq(members, ",") {
		if m == name {
			return true
		}
	}
	return false
}

// maxUsers bounds /etc/passwd and /etc/group, in bytes.
const maxUsers = 16 << 20

// entries calls f with the fields of each line of a passwd-like file that has
// at least so many, until it gives false.
func entries(root fs.FS, file string, fields int, f func([]string) bool) error {
	data, err := fs9p.ReadFile(root, file, maxUsers)
	if errors.Is(err, fs9p.ErrTooLarge) {
		return err
	}
	if err != nil {
		return nil // an image without the file has no names
	}
	for line := range strings.Lines(string(data)) {
		if list := strings.SplitN(strings.TrimRight(line, "\r\n"), ":", fields+1); len(list) >= fields && !f(list) {
			break
		}
	}
	return nil
}

// findEntry finds the first line of a passwd-like file by number (field 2) or, if
// key is none, by name (field 0); nil where there is none.
func findEntry(root fs.FS, file, key string, fields int) (found []string, err error) {
	by := 0
	if _, err := strconv.ParseUint(key, 10, 32); err == nil {
		by = 2
	}
	err = entries(root, file, fields, func(f []string) bool {
		if f[by] == key {
			found = f
		}
		return found == nil
	})
	return found, err
}
