package launch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// module is the path of ours.
const module = "alpinevm"

// programStamp tells versions of ours apart that might go on differently from a
// booted kernel. A program that has a released version of the module shares what is
// kept with others of that version; any other shares it with itself.
var programStamp = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == module && d.Replace == nil && d.Sum != "" {
				return fmt.Sprint(d.Version, " ", d.Sum, " ", runtime.Version(), " ", runtime.GOARCH)
			}
		}
	}
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	if id := buildID(f); id != "" {
		return id
	}
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
})

// maxBuildHead is how far into a program Go's linker puts its build ID, at most
// (cmd/internal/buildid).
const maxBuildHead = 64 << 10

// buildID is the one that Go's linker has given a program, "" where it has none. It
// has a hash of all that went into the program.
func buildID(r io.Reader) string {
	head, err := io.ReadAll(io.LimitReader(r, maxBuildHead))
	if err != nil {
		return ""
	}
	for _, mark := range [...][]byte{[]byte("Go\x00\x00"), []byte("\xff Go build ID: \"")} {
		_, rest, found := bytes.Cut(head, mark)
		if !found {
			continue
		}
		n := bytes.IndexFunc(rest, func(c rune) bool {
			return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/')
		})
		if n > 40 {
			return string(rest[:n])
		}
	}
	return ""
}
