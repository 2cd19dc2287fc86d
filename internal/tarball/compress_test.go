package tarball

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

const plain = "sixteen bytes.\n\n"

// bzipped is what bzip2 made of plain, 4096 times: no Go package writes it.
const bzipped = "QlpoOTFBWSZTWZMoULYAX//RgAAQQAESIQxgIACQIBppoCqmQaNJAAgADgAFAAaAA6ABQAEAAZAAkABsADwAFgAWABYAHxdyRThQkJMoULY="

// packers compress data in each form that is read.
func packers(t testing.TB) map[string]func([]byte) []byte {
	through := func(make func(io.Writer) (io.WriteCloser, error)) func([]byte) []byte {
		return func(data []byte) []byte {
			var b bytes.Buffer
			w, err := make(&b)
			if err == nil {
				_, err = w.Write(data)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	return map[string]func([]byte) []byte{
		"plain": func(data []byte) []byte { return data },
		"gzip":  through(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"zstd":  through(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		"xz":    through(func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
		"lzma":  through(func(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter(w) }),
		"lz4":   through(func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil }),
		"bzip2": func([]byte) []byte {
			b, err := base64.StdEncoding.DecodeString(bzipped)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
	}
}

func unpack(b []byte) (string, error) {
	z, err := Decompress(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	defer z.Close()
	data, err := io.ReadAll(z)
	return string(data), err
}

func TestDecompress(t *testing.T) {
	want := strings.Repeat(plain, 4096)
	for form, pack := range packers(t) {
		t.Run(form, func(t *testing.T) {
			b := pack([]byte(want))
			if got, err := unpack(b); got != want || err != nil {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if is, err := Packed(b[:headLen]); is != (form != "plain") || err != nil {
				t.Errorf("packed: %v, %v", is, err)
			}
			if form == "plain" {
				return
			}
			for _, n := range []int{headLen, len(b) / 2, len(b) - 1} {
				if got, err := unpack(b[:n]); err == nil {
					t.Errorf("cut to %d bytes of %d: %d bytes without an error", n, len(b), len(got))
				}
			}
		})
	}
}

// TestDecompressSkippable has what zstd's tools put in front of frames.
func TestDecompressSkippable(t *testing.T) {
	b := append([]byte{0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3}, packers(t)["zstd"]([]byte(plain))...)
	if got, err := unpack(b); got != plain || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDecompressRefused has forms that are not read, and streams that ask for
// more memory than they get.
func TestDecompressRefused(t *testing.T) {
	for _, f := range forms {
		if f.open != nil {
			continue
		}
		_, err := unpack([]byte(f.magic + strings.Repeat("x", 100)))
		var form *FormError
		if !errors.As(err, &form) || form.Form != f.name || !strings.Contains(err.Error(), f.name) {
			t.Errorf("%s: %v", f.name, err)
		}
		if is, err := Packed([]byte(f.magic)); is || !errors.As(err, &form) {
			t.Errorf("%s: packed: %v, %v", f.name, is, err)
		}
	}
	var big bytes.Buffer
	w, err := zstd.NewWriter(&big, zstd.WithWindowSize(512<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		w.Write(make([]byte, 1<<20))
	}
	w.Close()
	for name, b := range map[string][]byte{
		"zstd":  big.Bytes(),
		"lzma:": append([]byte{0x5D, 0, 0, 0, 0x20}, make([]byte, 50)...),
	} {
		if _, err := unpack(b); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(name, ":")) && !strings.Contains(err.Error(), "window") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("n", 255)
	for name, want := range map[string]string{
		"": "", ".": "", "./": "", "/": "", "//": "", "/.": "", "a/..": "", "a": "a", "./a//b/": "a/b", "/a": "a", "///a/./b": "a/b",
		"a/../b": "b", "a/b/../../c": "c", "..a": "..a", "a/..b": "a/..b", long: long, long + "/" + long: long + "/" + long,
		"x/../" + long + "n/../y": "y",
	} {
		if got, err := Clean(name); got != want || err != nil {
			t.Errorf("%.40q: %.40q, %v", name, got, err)
		}
	}
	for name, want := range map[string]error{
		"..": ErrEscapes, "../": ErrEscapes, "/..": ErrEscapes, "a/../..": ErrEscapes, "../a": ErrEscapes, "/../a": ErrEscapes, "a/../../b": ErrEscapes,
		"a\x00": ErrName, long + "n": ErrLong, strings.Repeat("n/", 2048): nil, strings.Repeat("n/", 2048) + "n": ErrLong,
	} {
		if _, err := Clean(name); !errors.Is(err, want) {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}

// FuzzReader reads archives of any bytes, compressed or not.
func FuzzReader(f *testing.F) {
	for _, pack := range packers(f) {
		f.Add(pack([]byte(plain)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := Decompress(bytes.NewReader(b))
		if err != nil {
			return
		}
		defer z.Close()
		r := NewReader(io.LimitReader(z, 1<<20))
		for {
			e, err := r.Next()
			if e == nil {
				return
			}
			if name, err := Clean(e.Name); err == nil && (strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../")) {
				t.Errorf("%q became %q", e.Name, name)
			}
			if err == nil {
				io.Copy(io.Discard, r)
			}
		}
	})
}
