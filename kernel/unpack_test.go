package kernel

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// packers are the host's own tools, called as Linux's build calls them (scripts/Makefile.lib).
var packers = [...]struct {
	format  format
	command string
	ownSize bool // the format ends with the uncompressed size, so that the build appends none
}{
	{formatGzip, "gzip -n -9", true},
	{formatXZ, "xz --check=crc32 --x86 --lzma2=dict=32MiB", false},
	{formatLZMA, "xz --format=lzma -9", false},
	{formatZstd, "zstd -q -19", false},
	{formatLZ4, "lz4 -q -l -9 -c", false},
	{formatBzip2, "bzip2 -9", false},
}

// sample is code-like data: the test binary's own, so that the x86 filter has calls to convert.
func sample(t testing.TB) []byte {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data[:min(len(data), 1<<20)]
}

func TestUnpackFormats(t *testing.T) {
	data := sample(t)
	for _, row := range packers {
		t.Run(row.format.String(), func(t *testing.T) {
			words := strings.Fields(row.command)
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Stdin = bytes.NewReader(data)
			packed, err := cmd.Output()
			if errors.Is(err, exec.ErrNotFound) {
				t.Skipf("%s is not installed", words[0])
			} else if err != nil {
				t.Fatal(err)
			}
			if f := detectFormat(packed); f != row.format {
				t.Fatalf("detected as %v", f)
			}
			out, err := unpack(packed, -1, maxKernel)
			if err != nil || !bytes.Equal(out, data) {
				t.Errorf("without a size: %v, %d bytes of %d", err, len(out), len(data))
			}
			if _, err := unpack(packed, -1, int64(len(data))-1); err == nil {
				t.Error("more than the limit was unpacked")
			}
			if !row.ownSize {
				packed = append(packed, byte(len(data)), byte(len(data)>>8), byte(len(data)>>16), byte(len(data)>>24))
			}
			h := &setupHeader{payload: packed}
			if out, err := h.unpackPayload(nil); err != nil || !bytes.Equal(out, data) {
				t.Errorf("as a payload: %v, %d bytes of %d", err, len(out), len(data))
			}
			h.payload = append(bytes.Clone(packed[:len(packed)/2]), 0, 0, 16, 0)
			if _, err := h.unpackPayload(nil); err == nil {
				t.Error("half a payload was unpacked")
			}
		})
	}
}

func TestUnpackLZ4(t *testing.T) {
	const head = "02214C18"
	for _, row := range []struct{ name, block, want string }{
		{"literals", "03000000" + "20" + "6162", "ab"},
		{"match", "08000000" + "12" + "61" + "0100" + "10" + "62" + "0000", ""},
		{"overlapping match", "06000000" + "10" + "61" + "0100" + "10" + "62", "aaaaab"},
		{"offset zero", "06000000" + "10" + "61" + "0000" + "10" + "62", ""},
		{"offset before the start", "06000000" + "10" + "61" + "0200" + "10" + "62", ""},
		{"literals past the end", "02000000" + "30" + "61", ""},
		{"endless length", "03000000" + "F0" + "FFFF", ""},
		{"block past the end", "09000000" + "10" + "61", ""},
	} {
		packed, err := hex.DecodeString(head + row.block)
		if err != nil {
			t.Fatal(err)
		}
		out, err := unpack(packed, -1, maxKernel)
		if string(out) != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %v, want %q", row.name, out, err, row.want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	w, _ := zstd.NewWriter(nil)
	f.Add(w.EncodeAll([]byte("hello hello hello"), nil))
	f.Add(gzipped([]byte("hello")))
	f.Add([]byte("\x02\x21\x4C\x18\x06\x00\x00\x00\x10a\x01\x00\x10b"))
	f.Add([]byte("\x5D\x00\x00\x80\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00"))
	f.Add([]byte("\xFD7zXZ\x00\x00\x01\x69\x22\xDE\x36"))
	f.Add([]byte("BZh9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := unpack(data, -1, 1<<20); err == nil && len(out) > 1<<20 {
			t.Errorf("%d bytes", len(out))
		}
	})
}
