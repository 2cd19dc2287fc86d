// Package apk fetches packages from Alpine's repositories and verifies them.
//
// Source: the format of apk-tools 2 as apk-package(5), apk-repositories(5) and
// abuild 3.13 have it. A package is three gzip streams one after the other, each
// a part of a tar archive: the signature, the control files (.PKGINFO), the
// data. An index, APKINDEX.tar.gz, is two: the signature and the index.
//
// The chain of trust is apk's: a public key of Alpine's signs the second stream
// of the index (PKCS #1 v1.5), the index has the SHA-1 of each package's
// control stream, and the control stream has the SHA-256 of the data stream.
// Nothing of a package is used before all of it is verified.
//
// It installs nothing: scripts are not run, dependencies not followed. It knows
// no apk-tools 3 package (.apk in the ADB format).
package apk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Errors, wrapped with the details.
var (
	ErrSignature = errors.New("the signature is not one by a key that is trusted")
	ErrHash      = errors.New("it is not what its checksum promises")
	ErrFormat    = errors.New("not an Alpine package or index")
	ErrTruncated = errors.New("it is truncated")
	ErrNotFound  = errors.New("there is no such package")
	ErrMissing   = errors.New("it is not in the cache")
)

// Checksum is the SHA-1 of a package's control stream, by which its content is
// named.
type Checksum [20]byte

// String is the checksum in hexadecimal digits.
func (c Checksum) String() string { return hex.EncodeToString(c[:]) }

// Info is what an index or a package says of a package.
type Info struct {
	Name, Version, Arch string
	Size                int64 // of the package's file in bytes; 0 where it is not known
	Checksum            Checksum
}

// FileName is the name of the package's file in its repository.
func (i Info) FileName() string { return i.Name + "-" + i.Version + ".apk" }

// Limits on what comes from a repository, in bytes.
const (
	maxIndex     = 32 << 20  // an index as it comes
	maxSignature = 64 << 10  // one signature
	maxControl   = 8 << 20   // a stream of a signature, control files or an index, as it is read
	maxData      = 4 << 30   // a package's data, uncompressed
	maxPackage   = 1 << 30   // a package as it comes
	maxLists     = 128 << 20 // an index, uncompressed
)

// limited reads up to n bytes of r; more are an error.
type limited struct {
	r    io.Reader
	n    int64
	what string
}

func (l *limited) Read(p []byte) (int, error) {
	if l.n <= 0 {
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("%w: %s is too large", ErrFormat, l.what)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.n)])
	l.n -= int64(n)
	return n, err
}
