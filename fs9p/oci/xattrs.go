package oci

import (
	"encoding/binary"

	"alpinevm/fs9p"
)

// The attributes of a file are one string of the tree: for each, in the order
// of their names, the name's and the value's length as uvarints, name, value.

// An xattr is an extended attribute.
type xattr struct{ name, value string }

func appendXattr(b []byte, x xattr) []byte {
	b = binary.AppendUvarint(b, uint64(len(x.name)))
	b = binary.AppendUvarint(b, uint64(len(x.value)))
	b = append(b, x.name...)
	return append(b, x.value...)
}

// xattrLen is how many bytes appendXattr appends.
func xattrLen(x xattr) int {
	return uvarintLen(len(x.name)) + uvarintLen(len(x.value)) + len(x.name) + len(x.value)
}

func uvarintLen(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}

// eachXattr calls f for the attributes until it returns false. name and value
// are valid until the next use of the tree.
func (n *node) eachXattr(f func(name, value []byte) bool) error {
	b, err := n.fs.tree.string(n.xattrs, uint64(n.xattrLen))
	if err != nil {
		return err
	}
	for len(b) > 0 {
		nameLen, k := binary.Uvarint(b)
		valueLen, l := binary.Uvarint(b[max(k, 0):])
		if k <= 0 || l <= 0 {
			return fs9p.EIO
		}
		b = b[k+l:]
		if nameLen > uint64(len(b)) || valueLen > uint64(len(b))-nameLen {
			return fs9p.EIO
		}
		if !f(b[:nameLen], b[nameLen:nameLen+valueLen]) {
			return nil
		}
		b = b[nameLen+valueLen:]
	}
	return nil
}

// Xattr is part of fs9p.Node.
func (n *node) Xattr(name string) ([]byte, error) {
	var found []byte
	ok := false
	err := n.eachXattr(func(k, v []byte) bool {
		if ok = string(k) == name; ok {
			found = append([]byte{}, v...)
		}
		return !ok
	})
	if err == nil && !ok {
		err = fs9p.ENODATA
	}
	return found, err
}

// Xattrs is part of fs9p.Node.
func (n *node) Xattrs() ([]string, error) {
	var names []string
	err := n.eachXattr(func(k, _ []byte) bool {
		names = append(names, string(k))
		return true
	})
	return names, err
}
