// Package apktest makes Alpine packages and repositories of them, in the format
// of apk-tools 2 (apk-package(5), "v2"; abuild 3.13): a package is three gzip
// streams, each a part of one tar archive: the signature, the control files and
// the data. Tests alone import it.
package apktest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// Key signs packages and indexes.
type Key struct {
	Name    string // as in /etc/apk/keys, such as "test.rsa.pub"
	private *rsa.PrivateKey
}

// NewKey makes a key pair.
func NewKey(t testing.TB, name string) *Key {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{name, k}
}

// Public is the public key's file.
func (k *Key) Public() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// sign is the gzip stream that goes before the stream it signs (abuild-sign).
func (k *Key) sign(stream []byte) []byte {
	sum := sha1.Sum(stream)
	sig, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA1, sum[:])
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return segment(false, entry{Header: tar.Header{Name: ".SIGN.RSA." + k.Name, Mode: 0o644}, data: sig})
}

// File is a file of a package.
type File struct {
	Name   string // without a leading slash
	Mode   int64  // permissions with set-id bits; 0: 0644, for folders 0755
	Type   byte   // of tar; 0: a regular file
	Link   string // target of a link; that of a hard link is a Name
	Data   []byte
	Owner  string // "" is root
	Group  string // "" is root
	Major  int64
	Minor  int64
	Xattrs map[string]string
}

// Package is what a package is made of.
type Package struct {
	Name, Version               string
	Arch                        string // "" is x86
	Depends, Provides, Replaces []string
	Triggers                    []string          // folder patterns
	Scripts                     map[string]string // "pre-install" and so on: shell commands
	Files                       []File            // folders that are missing are added
}

// script names in apk's order of appearance.
var scripts = []string{"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-deinstall", "post-deinstall", "trigger"}

// built is a finished package.
type built struct {
	*Package
	apk       []byte
	checksum  []byte // SHA-1 of the control stream
	installed int64
}

// FileName is the package's in its repository.
func (p *Package) FileName() string { return p.Name + "-" + p.Version + ".apk" }

func (p *Package) arch() string {
	if p.Arch == "" {
		return "x86"
	}
	return p.Arch
}

// Epoch is the date of all files.
var Epoch = time.Date(2024, 5, 22, 0, 0, 0, 0, time.UTC)

type entry struct {
	tar.Header
	data []byte
}

// segment is a gzip stream with a part of a tar archive.
func segment(last bool, entries ...entry) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w := tar.NewWriter(z)
	for _, e := range entries {
		e.Size, e.ModTime = int64(len(e.data)), Epoch
		if err := w.WriteHeader(&e.Header); err != nil {
			panic("BUG: " + err.Error())
		}
		w.Write(e.data)
	}
	end := w.Flush
	if last {
		end = w.Close
	}
	if err := end(); err != nil {
		panic("BUG: " + err.Error())
	}
	z.Close()
	return b.Bytes()
}

// data is the data stream and the installed size.
func (p *Package) data() ([]byte, int64) {
	var entries []entry
	have := map[string]bool{}
	for _, f := range p.Files {
		have[strings.TrimSuffix(f.Name, "/")] = true
	}
	size := int64(0)
	for _, f := range p.Files {
		var parents []string
		for dir := path.Dir(f.Name); dir != "." && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			parents = append(parents, dir)
		}
		for _, dir := range slices.Backward(parents) {
			entries = append(entries, File{Name: dir, Type: tar.TypeDir}.entry())
		}
		entries = append(entries, f.entry())
		size += int64(len(f.Data))
	}
	return segment(true, entries...), size
}

// entry is the file in the archive, with the checksum that abuild-tar adds to
// files and symbolic links.
func (f File) entry() entry {
	e := entry{data: f.Data, Header: tar.Header{
		Name: f.Name, Typeflag: f.Type, Mode: f.Mode, Linkname: f.Link, Uname: f.Owner, Gname: f.Group,
		Devmajor: f.Major, Devminor: f.Minor, Format: tar.FormatPAX, PAXRecords: map[string]string{},
	}}
	if f.Owner == "" {
		e.Uname = "root"
	}
	if f.Group == "" {
		e.Gname = "root"
	}
	content := f.Data
	switch f.Type {
	case 0:
		e.Typeflag = tar.TypeReg
	case tar.TypeDir:
		e.Name = strings.TrimSuffix(f.Name, "/") + "/"
	case tar.TypeSymlink:
		content = []byte(f.Link)
	}
	if f.Mode == 0 {
		e.Mode = 0o644
		switch f.Type {
		case tar.TypeDir:
			e.Mode = 0o755
		case tar.TypeSymlink:
			e.Mode = 0o777
		}
	}
	if e.Typeflag == tar.TypeReg || e.Typeflag == tar.TypeSymlink {
		sum := sha1.Sum(content)
		e.PAXRecords["APK-TOOLS.checksum.SHA1"] = hex.EncodeToString(sum[:])
	}
	for name, value := range f.Xattrs {
		e.PAXRecords["SCHILY.xattr."+name] = value
	}
	return e
}

// build makes the package's file.
func (p *Package) build(k *Key) built {
	data, size := p.data()
	hash := sha256.Sum256(data)
	var info strings.Builder
	for _, f := range [][2]string{
		{"pkgname", p.Name}, {"pkgver", p.Version}, {"pkgdesc", p.Name + " for tests"}, {"url", "https://example.org"},
		{"builddate", fmt.Sprint(Epoch.Unix())}, {"packager", "Test"}, {"size", fmt.Sprint(size)}, {"arch", p.arch()},
		{"origin", p.Name}, {"license", "MIT"},
	} {
		fmt.Fprintf(&info, "%s = %s\n", f[0], f[1])
	}
	for _, l := range []struct {
		key    string
		values []string
	}{{"depend", p.Depends}, {"provides", p.Provides}, {"replaces", p.Replaces}} {
		for _, v := range l.values {
			fmt.Fprintf(&info, "%s = %s\n", l.key, v)
		}
	}
	if len(p.Triggers) > 0 {
		fmt.Fprintf(&info, "triggers = %s\n", strings.Join(p.Triggers, " "))
	}
	fmt.Fprintf(&info, "datahash = %x\n", hash)
	control := []entry{{Header: tar.Header{Name: ".PKGINFO", Mode: 0o644}, data: []byte(info.String())}}
	for _, s := range scripts {
		if text, ok := p.Scripts[s]; ok {
			control = append(control, entry{Header: tar.Header{Name: "." + s, Mode: 0o755}, data: []byte("#!/bin/sh\n" + text + "\n")})
		}
	}
	stream := segment(false, control...)
	sum := sha1.Sum(stream)
	return built{Package: p, apk: slices.Concat(k.sign(stream), stream, data), checksum: sum[:], installed: size}
}

// record is the package's in an index.
func (b built) record() string {
	var r strings.Builder
	line := func(key, value string) {
		if value != "" {
			r.WriteString(key + ":" + value + "\n")
		}
	}
	line("C", "Q1"+base64.StdEncoding.EncodeToString(b.checksum))
	line("P", b.Name)
	line("V", b.Version)
	line("A", b.arch())
	line("S", fmt.Sprint(len(b.apk)))
	line("I", fmt.Sprint(b.installed))
	line("T", b.Name+" for tests")
	line("U", "https://example.org")
	line("L", "MIT")
	line("o", b.Name)
	line("t", fmt.Sprint(Epoch.Unix()))
	line("D", strings.Join(b.Depends, " "))
	line("p", strings.Join(b.Provides, " "))
	return r.String() + "\n"
}

// Repository is the files of a repository by their names, such as
// "x86/APKINDEX.tar.gz".
type Repository map[string][]byte

// NewRepository makes packages and their index.
func NewRepository(k *Key, packages ...*Package) Repository {
	r := Repository{}
	var index strings.Builder
	for _, p := range packages {
		b := p.build(k)
		r["x86/"+p.FileName()] = b.apk
		index.WriteString(b.record())
	}
	stream := segment(true,
		entry{Header: tar.Header{Name: "DESCRIPTION", Mode: 0o644}, data: []byte("test")},
		entry{Header: tar.Header{Name: "APKINDEX", Mode: 0o644}, data: []byte(index.String())})
	r["x86/APKINDEX.tar.gz"] = append(k.sign(stream), stream...)
	return r
}
