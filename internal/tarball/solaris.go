package tarball

import (
	"archive/tar"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// records are those of an extended header (POSIX.1-2017 pax, "pax Extended
// Header"): "LENGTH KEY=VALUE\n" each.
type records map[string]string

// maxRecords bounds an extended header, in bytes, as archive/tar bounds it.
const maxRecords = 1 << 20

func readRecords(r io.Reader, size int64) (records, error) {
	if size > maxRecords {
		return nil, fmt.Errorf("%w of %d bytes", ErrHeader, size)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxRecords))
	if err != nil {
		return nil, err
	}
	list := records{}
	for rest := string(b); rest != ""; {
		digits, _, ok := strings.Cut(rest, " ")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n <= len(digits)+1 || n > len(rest) || rest[n-1] != '\n' {
			return nil, ErrHeader
		}
		key, value, ok := strings.Cut(rest[len(digits)+1:n-1], "=")
		if !ok || key == "" {
			return nil, ErrHeader
		}
		list[key], rest = value, rest[n:]
	}
	return list, nil
}

// apply gives h what the records say. A size that is not the header's is an
// error: archive/tar would look for the next header at the wrong place.
func (l records) apply(h *tar.Header) error {
	for key, value := range l {
		var err error
		switch key {
		case "path":
			h.Name = value
		case "linkpath":
			h.Linkname = value
		case "uid":
			h.Uid, err = strconv.Atoi(value)
		case "gid":
			h.Gid, err = strconv.Atoi(value)
		case "mtime":
			h.ModTime, err = parseTime(value)
		case "atime":
			h.AccessTime, err = parseTime(value)
		case "ctime":
			h.ChangeTime, err = parseTime(value)
		case "SUN.devmajor":
			h.Devmajor, err = strconv.ParseInt(value, 10, 64)
		case "SUN.devminor":
			h.Devminor, err = strconv.ParseInt(value, 10, 64)
		case "size":
			var size int64
			if size, err = strconv.ParseInt(value, 10, 64); err == nil && size != h.Size {
				return fmt.Errorf("%w: a size of %d bytes beside one of %d", ErrHeader, size, h.Size)
			}
		default:
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[key] = value
		}
		if err != nil {
			return fmt.Errorf("%w: %s %.40q", ErrHeader, key, value)
		}
	}
	return nil
}

// parseTime reads seconds since 1970 with a fraction.
func parseTime(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var nsec int64
	if fraction = (fraction + "000000000")[:9]; fraction != "" {
		if nsec, err = strconv.ParseInt(fraction, 10, 64); err != nil {
			return time.Time{}, err
		}
	}
	if strings.HasPrefix(whole, "-") {
		nsec = -nsec
	}
	return time.Unix(sec, nsec), nil
}
