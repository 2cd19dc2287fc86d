package apk

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// alpineKeys are the public keys that sign Alpine's x86 packages, from its
// package alpine-keys 2.5.
//
//go:embed keys
var alpineKeys embed.FS

// Keys are public keys by the names of their files, which signatures name.
type Keys map[string]*rsa.PublicKey

// AlpineKeys are the keys of Alpine's developers for x86.
func AlpineKeys() Keys {
	keys := Keys{}
	files, err := fs.Sub(alpineKeys, "keys")
	if err == nil {
		err = keys.AddFiles(files)
	}
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return keys
}

// Add adds a public key, PEM or DER as PKIX has it.
func (k Keys) Add(name string, data []byte) error {
	if b, _ := pem.Decode(data); b != nil {
		data = b.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(data)
	if err != nil {
		return fmt.Errorf("key %s: %w", name, err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("key %s: it is no RSA key", name)
	}
	k[name] = public
	return nil
}

// AddFiles adds the keys in a folder such as /etc/apk/keys.
func (k Keys) AddFiles(folder fs.FS) error {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".pub") {
			continue
		}
		data, err := fs.ReadFile(folder, e.Name())
		if err != nil {
			return err
		}
		if err := k.Add(e.Name(), data); err != nil {
			return err
		}
	}
	return nil
}

// signature is one of a signature stream: which key signed what kind of hash.
type signature struct {
	key  string
	hash crypto.Hash
	data []byte
}

// signatureKinds are the names of the files in a signature stream without that
// of the key.
var signatureKinds = []struct {
	prefix string
	hash   crypto.Hash
}{
	{".SIGN.RSA.", crypto.SHA1}, {".SIGN.RSA256.", crypto.SHA256}, {".SIGN.RSA512.", crypto.SHA512},
}

// signatures reads a signature stream; what it does not know is left out. ok
// tells whether it is one.
func signatures(stream []byte) (all []signature, ok bool, err error) {
	t := tar.NewReader(bytes.NewReader(stream))
	for {
		h, err := t.Next()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) { // the part of an archive has no end
			return all, ok, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("%w: its head: %w", ErrFormat, err)
		}
		if !strings.HasPrefix(h.Name, ".SIGN.") {
			return nil, false, nil
		}
		ok = true
		for _, kind := range signatureKinds {
			if key, found := strings.CutPrefix(h.Name, kind.prefix); found {
				data, err := io.ReadAll(io.LimitReader(t, maxSignature)) // a sparse one may say any size
				if err != nil {
					return nil, false, fmt.Errorf("%w: its signature: %w", ErrFormat, err)
				}
				all = append(all, signature{key, kind.hash, data})
			}
		}
	}
}

// verify checks that one of the signatures, by a key that is known, is of data.
func (k Keys) verify(all []signature, data []byte) error {
	var names []string
	for _, s := range all {
		key, ok := k[s.key]
		if !ok {
			names = append(names, s.key)
			continue
		}
		h := s.hash.New()
		h.Write(data)
		if err := rsa.VerifyPKCS1v15(key, s.hash, h.Sum(nil), s.data); err != nil {
			return fmt.Errorf("%w: %s did not sign this", ErrSignature, s.key)
		}
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: it has none", ErrSignature)
	}
	return &unknownKeysError{names}
}

// unknownKeysError is the error of what nobody has signed that is trusted.
type unknownKeysError struct{ names []string }

func (e *unknownKeysError) Error() string {
	return fmt.Sprintf("%s: %s is unknown", ErrSignature, strings.Join(e.names, ", "))
}

func (e *unknownKeysError) Unwrap() error { return ErrSignature }
