package alpinevm

import (
	"slices"
	"strings"
	"testing"
)

// row is what a package may import: the patterns that are allowed. A pattern that ends in
// /... stands for everything below it.
type row struct {
	pkg   string
	allow []string
}

// layers is the import table of the design: what each package may import of
// this module. Of several rows that match a package the longest one counts. Test
// files may import what testOnly names and their own package's layer besides.
var layers = []row{
	{"cpu/x86", nil},
	{"cpu/mem", nil},
	{"cpu/softfloat", nil},
	{"cpu/gen", nil},
	{"cpu", []string{"cpu/x86", "cpu/mem", "cpu/softfloat"}},
	{"cpu/cputest/...", []string{"cpu", "cpu/x86", "cpu/mem", "cpu/softfloat"}},
	{"cpu/jit/...", []string{"cpu", "cpu/x86", "cpu/mem", "cpu/softfloat", "cpu/jit/..."}},
	{"devices", nil},
	{"devices/virtio/virtq", nil},
	{"devices/virtio", []string{"devices", "devices/virtio/virtq"}},
	{"devices/...", []string{"devices"}},
	{"bios", nil},
	{"kernel", nil},
	{"kernel/...", []string{"kernel"}},
	{"kernel/apk", []string{"internal/seal", "internal/fetch"}},
	{"fs9p", nil},
	{"fs9p/...", []string{"fs9p", "internal/tarball"}},
	{"fs9p/memfs", []string{"fs9p", "internal/tarball", "fs9p/internal/tree"}},
	{"fs9p/statefs", []string{"fs9p", "fs9p/internal/tree", "fs9p/storage"}},
	{"fs9p/storage", nil},
	{"fs9p/oci/store", []string{"fs9p", "fs9p/oci", "internal/tarball", "internal/seal", "internal/fetch"}},
	{"net/special", nil},
	{"net/usernet", []string{"net/special"}},
	{"net/wisp", nil},
	{"net/http1", nil},
	{"net/standin", nil},
	{"net/httpgate", []string{"net/http1", "net/standin"}},
	{"internal/board", []string{"cpu", "cpu/mem", "cpu/x86", "devices/...", "bios", "kernel"}},
	{"internal/gdb", []string{"cpu", "cpu/x86", "cpu/mem"}},
	{"internal/fetch", []string{"net/special"}},
	{"internal/linux", []string{"fs9p", "fs9p/memfs", "fs9p/overlay", "kernel"}},
	{"internal/printable", nil},
	{"internal/profile", nil},
	{"internal/seal", nil},
	{"internal/tarball", []string{"fs9p"}},
	{"internal/snapshot", nil},
	{"", []string{"cpu", "cpu/mem", "cpu/jit/...", "internal/board", "internal/gdb", "internal/linux", "internal/snapshot", "internal/printable", "internal/profile", "devices/virtio", "kernel", "fs9p/...", "net/usernet"}},
	{"internal/imageconfig", []string{"", "fs9p", "kernel"}},
	{"launch", []string{"", "internal/chunked", "internal/imageconfig", "internal/website", "internal/tarball", "fs9p/...", "kernel/...", "net/usernet"}},
	{"vmtest", []string{"launch"}},
	{"internal/control", nil},
	{"internal/archive", []string{"fs9p"}},
	{"internal/machines", []string{"", "launch", "internal/archive", "internal/control", "fs9p/...", "kernel"}},
	{"internal/agents", []string{"", "launch", "internal/printable"}},
	{"internal/confine", nil},
	{"internal/chunked", nil},
	{"internal/website", []string{"", "internal/archive", "internal/chunked", "internal/linux", "internal/tarball", "fs9p/...", "kernel"}},
	{"web", nil},
	{"cmd/alpinevm-web", []string{"", "fs9p/...", "internal/archive", "internal/chunked", "internal/website", "net/http1", "net/httpgate", "net/standin", "net/usernet", "net/wisp"}},
	{"cmd/...", []string{"", "launch", "internal/agents", "internal/chunked", "internal/website", "net/httpgate", "net/wisp", "web", "internal/confine", "internal/archive", "internal/control", "internal/machines", "internal/printable", "fs9p/...", "kernel/...", "net/usernet", "bench"}},
	{"bench/...", []string{"", "fs9p/...", "kernel/...", "net/usernet", "bench"}},
	{"scripts/...", []string{"", "kernel/..."}},
	{"internal/apktest", nil},
	{"internal/statetest", nil},
	{"internal/baretest", nil},
	{"internal/leaktest", nil},
	{"internal/costtest", nil},
	{"internal/guesttest", []string{"kernel", "fs9p", "fs9p/memfs", "internal/guesttest/guestfile"}},
	{"internal/guesttest/guestfile", nil},
}

// testOnly is what test files of any package may import besides.
var testOnly = []string{
	"cpu/jit/...", "cpu/x86",
	"cpu/cputest", "fs9p", "fs9p/fstest", "fs9p/memfs", "fs9p/overlay", "fs9p/statefs", "fs9p/storage", "net/usernet", "internal/guesttest/...", "internal/apktest", "internal/baretest", "internal/costtest", "internal/leaktest", "internal/statetest",
}

// testsOnly are the packages that are there for tests, which alone may import them.
var testsOnly = []string{"cpu/cputest", "cpu/jit/wasm/wasmtest", "fs9p/fstest", "internal/guesttest/...", "internal/apktest", "internal/baretest", "internal/costtest", "internal/leaktest", "internal/statetest", "vmtest"}

// What the standard library has, by what it touches.
var (
	// plain computes.
	plain = []string{
		"bufio", "bytes", "cmp", "container/...", "embed", "encoding/...", "errors", "fmt", "hash/...", "io", "io/fs", "iter", "maps",
		"math/...", "path", "reflect", "regexp", "slices", "sort", "strconv", "strings", "unicode/...",
	}
	codecs = []string{"archive/tar", "compress/...", "crypto/..."}
	// shared is between goroutines, and time.
	shared  = []string{"context", "sync/...", "time"}
	hosts   = []string{"os/...", "path/filepath", "runtime/...", "syscall"} // the host's files and processes
	network = []string{"net/..."}
)

// outside is what product code of each room may import that is not of this module. What is
// in no row that a package may import has to be given to it.
var outside = []row{
	{"cpu/...", slices.Concat(plain, []string{"unsafe"})},
	{"cpu/gen", slices.Concat(plain, []string{"go/...", "os", "text/template"})},
	{"cpu/jit/...", slices.Concat(plain, []string{"syscall", "syscall/js", "unsafe", "golang.org/x/sys/..."})},
	{"cpu/jit/wasm/wasmtest", slices.Concat(plain, []string{"context", "unsafe", "github.com/tetratelabs/wazero/..."})},
	{"cpu/mem", slices.Concat(plain, []string{"unsafe", "golang.org/x/sys/..."})},
	{"devices/...", slices.Concat(plain, []string{"time"})},
	{"bios", plain},
	{"kernel", slices.Concat(plain, codecs, []string{"os", "path/filepath", "sync",
		"github.com/klauspost/compress/...", "github.com/mikelolasagasti/xz", "github.com/pierrec/lz4/v4", "github.com/ulikunitz/xz/..."})},
	{"kernel/apk", slices.Concat(plain, codecs, shared, hosts, network, []string{"github.com/klauspost/compress/..."})},
	{"fs9p/...", slices.Concat(plain, shared)},
	{"fs9p", slices.Concat(plain, shared, []string{"crypto/rand", "crypto/sha256", "runtime/debug"})},
	{"fs9p/fstest/guest", slices.Concat(plain, shared, hosts, []string{"unsafe"})},
	{"fs9p/hostfs", slices.Concat(plain, shared, hosts, []string{"golang.org/x/sys/...", "unsafe"})},
	{"fs9p/statefs", slices.Concat(plain, codecs, shared, hosts, []string{"github.com/gofrs/flock", "golang.org/x/sys/..."})},
	{"fs9p/storage", slices.Concat(plain, hosts, []string{"github.com/gofrs/flock", "syscall/js"})},
	{"fs9p/oci", slices.Concat(plain, codecs, shared)},
	{"fs9p/oci/store", slices.Concat(plain, codecs, shared, hosts, network, []string{"mime", "github.com/docker/go-units",
		"github.com/gofrs/flock", "github.com/google/go-containerregistry/...", "golang.org/x/sync/..."})},
	{"net/special", slices.Concat(plain, []string{"net/netip"})},
	{"net/http1", plain},
	{"net/standin", slices.Concat(plain, shared, []string{"net/netip"})},
	{"net/httpgate", slices.Concat(plain, shared, network)},
	{"net/wisp", slices.Concat(plain, shared, network, []string{"os", "syscall"})},
	{"net/usernet", slices.Concat(plain, shared, network, []string{"syscall", "golang.org/x/net/...", "golang.org/x/sys/unix", "golang.org/x/time/rate", "gvisor.dev/gvisor/pkg/..."})},
	{"internal/board", slices.Concat(plain, shared, []string{"crypto/rand", "runtime", "syscall", "syscall/js", "unsafe", "golang.org/x/arch/x86/x86asm"})},
	{"internal/gdb", slices.Concat(plain, []string{"net", "sync", "time"})},
	{"internal/fetch", slices.Concat(plain, codecs, shared, network, []string{"syscall", "golang.org/x/net/http/httpproxy"})},
	{"internal/linux", slices.Concat(plain, []string{"sync", "time"})},
	{"internal/printable", plain},
	{"internal/profile", slices.Concat(plain, []string{"time", "github.com/google/pprof/profile"})},
	{"internal/snapshot", slices.Concat(plain, codecs, shared, []string{"runtime", "github.com/klauspost/compress/...", "golang.org/x/sync/..."})},
	{"internal/seal", slices.Concat(plain, []string{"crypto/sha256", "os", "path/filepath", "time"})},
	{"internal/tarball", slices.Concat(plain, codecs, shared, []string{"github.com/klauspost/compress/...", "github.com/mikelolasagasti/xz",
		"github.com/pierrec/lz4/v4", "github.com/ulikunitz/xz/..."})},
	{"", slices.Concat(plain, shared, network, []string{"crypto/rand", "crypto/sha256", "runtime/debug"})},
	{"internal/imageconfig", slices.Concat(plain, []string{"github.com/google/go-containerregistry/pkg/v1"})},
	{"launch", slices.Concat(plain, codecs, shared, hosts, network, []string{"github.com/gofrs/flock", "github.com/google/go-containerregistry/..."})},
	{"internal/archive", slices.Concat(plain, []string{"archive/tar", "context", "os", "path/filepath"})},
	{"internal/control", slices.Concat(plain, shared, network, []string{"os", "golang.org/x/sys/unix"})},
	{"internal/machines", slices.Concat(plain, shared, hosts, []string{"archive/tar", "crypto/rand", "crypto/sha256", "github.com/gofrs/flock"})},
	{"internal/agents", slices.Concat(plain, shared, []string{"github.com/modelcontextprotocol/go-sdk/mcp"})},
	{"internal/confine", slices.Concat(plain, shared, hosts, []string{"net", "unsafe", "github.com/elastic/go-seccomp-bpf/...",
		"github.com/landlock-lsm/go-landlock/...", "golang.org/x/sys/...", "kernel.org/pub/linux/libs/security/libcap/psx"})},
	{"internal/chunked", slices.Concat(plain, codecs, shared, []string{"github.com/klauspost/compress/zstd"})},
	{"internal/website", slices.Concat(plain, shared, []string{"archive/tar", "crypto/sha256", "os", "path/filepath"})},
	{"web", plain},
	{"cmd/...", []string{"..."}},
	{"bench/...", []string{"..."}},
	{"scripts/...", []string{"..."}},
}

func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pattern == pkg || pattern == "..."
}

func layerOf(pkg string) (allow []string, ok bool) { return rowOf(layers, pkg) }

// rowOf finds the row that counts for a package.
func rowOf(table []row, pkg string) (allow []string, ok bool) {
	best := -1
	for _, r := range table {
		n := 2 * len(strings.TrimSuffix(r.pkg, "/..."))
		if r.pkg == pkg {
			n++
		}
		if matches(r.pkg, pkg) && n > best {
			allow, ok, best = r.allow, true, n
		}
	}
	return allow, ok
}

func allowed(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

// TestLayeringRefuses checks the checker on imports that must be refused.
func TestLayeringRefuses(t *testing.T) {
	for _, tt := range []struct {
		pkg, imp string
		ok       bool
	}{
		{"cpu", "devices", false}, {"cpu", "cpu/jit", false}, {"cpu/x86", "cpu/mem", false},
		{"devices/pic", "devices/pit", false}, {"devices/virtio", "devices/virtio/virtq", true},
		{"bios", "kernel", false}, {"fs9p/memfs", "fs9p", true}, {"fs9p/memfs", "fs9p/overlay", false},
		{"", "net/usernet", true}, {"cmd/alpinevm", "cpu", false}, {"net/usernet", "devices", false},
	} {
		allow, found := layerOf(tt.pkg)
		if got := found && allowed(allow, tt.imp); got != tt.ok {
			t.Errorf("%q importing %q: allowed %v, want %v", tt.pkg, tt.imp, got, tt.ok)
		}
	}
}
