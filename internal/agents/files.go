package agents

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Encodings of a file's contents.
const (
	encodingText   = "utf-8"
	encodingBase64 = "base64"
)

// name makes a guest's absolute name one of io/fs.
func name(p string) (string, error) {
	if !path.IsAbs(p) || strings.ContainsRune(p, 0) {
		return "", refusef("path %q: want an absolute name in the guest, such as /etc/passwd", p)
	}
	if p = path.Clean(p)[1:]; p == "" {
		return ".", nil
	}
	return p, nil
}

type readInput struct {
	Machine string `json:"machine" jsonschema:"the machine's name"`
	Path    string `json:"path" jsonschema:"the file's absolute name in the guest"`
	Offset  int64  `json:"offset,omitempty" jsonschema:"the byte to begin at"`
	Limit   int    `json:"limit,omitempty" jsonschema:"how many bytes to read at most; without it, the server's limit"`
}

type readOutput struct {
	Content   string `json:"content"`
	Encoding  string `json:"encoding" jsonschema:"utf-8, or base64 for what is no text"`
	Size      int64  `json:"size" jsonschema:"of the file, in bytes, as the guest tells it"`
	Truncated bool   `json:"truncated" jsonschema:"whether there is more behind what was read"`
	Next      int64  `json:"next_offset,omitempty" jsonschema:"where that begins"`
}

func (s *Server) readFile(ctx context.Context, in readInput) (readOutput, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return readOutput{}, err
	}
	file, err := name(in.Path)
	if err != nil {
		return readOutput{}, err
	}
	limit := s.Output
	switch {
	case in.Offset < 0:
		return readOutput{}, refusef("offset %d: want 0 or more", in.Offset)
	case in.Limit < 0 || in.Limit > limit:
		return readOutput{}, refusef("limit %d: want 1 to %d, the limit of this server", in.Limit, limit)
	case in.Limit > 0:
		limit = in.Limit
	}
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return readOutput{}, err
	}
	defer cancel() // which ends a read of what has no end
	f, err := m.vm.FS().WithContext(ctx).Open(file)
	if err != nil {
		return readOutput{}, fileFault(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return readOutput{}, fileFault(err)
	}
	if _, err := io.CopyN(io.Discard, f, in.Offset); err != nil && !errors.Is(err, io.EOF) {
		return readOutput{}, fileFault(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return readOutput{}, fileFault(err)
	}
	out := readOutput{Size: info.Size(), Truncated: len(b) > limit}
	if out.Truncated {
		b = wholeLetters(b[:limit])
		out.Next = in.Offset + int64(len(b))
	}
	out.Content, out.Encoding = encode(b)
	return out, nil
}

// wholeLetters leaves out a letter that is cut at the end of a text.
func wholeLetters(b []byte) []byte {
	for k := 1; k < utf8.UTFMax && k < len(b); k++ {
		if utf8.RuneStart(b[len(b)-k]) {
			if !utf8.FullRune(b[len(b)-k:]) {
				return b[:len(b)-k]
			}
			break
		}
	}
	return b
}

// encode gives text as it is.
func encode(b []byte) (content, encoding string) {
	if utf8.Valid(b) {
		return string(b), encodingText
	}
	return base64.StdEncoding.EncodeToString(b), encodingBase64
}

type writeInput struct {
	Machine  string `json:"machine" jsonschema:"the machine's name"`
	Path     string `json:"path" jsonschema:"the file's absolute name in the guest; folders above it are made"`
	Content  string `json:"content" jsonschema:"what the file is to hold"`
	Encoding string `json:"encoding,omitempty" jsonschema:"utf-8 (if it is left out) or base64"`
	Mode     string `json:"mode,omitempty" jsonschema:"permission bits in octal digits, such as 755; 644 for a new file if it is left out"`
}

type writeOutput struct {
	Size int64 `json:"size" jsonschema:"of what was written, in bytes"`
}

// decode gives what a file is to hold, and its mode.
func (in *writeInput) decode() (data []byte, mode fs.FileMode, err error) {
	switch in.Encoding {
	case "", encodingText:
		data = []byte(in.Content)
	case encodingBase64:
		if data, err = base64.StdEncoding.DecodeString(in.Content); err != nil {
			return nil, 0, refusef("content: it is no base64 (%w)", err)
		}
	default:
		return nil, 0, refusef("encoding %q: want utf-8 or base64", in.Encoding)
	}
	for _, c := range in.Mode {
		if c < '0' || c > '7' {
			mode = 0o1000
			break
		}
		mode = min(mode<<3|fs.FileMode(c-'0'), 0o1000)
	}
	if mode > 0o777 {
		return nil, 0, refusef("mode %q: want octal digits from 0 to 777", in.Mode)
	}
	return data, mode, nil
}

// newFileMode is that of a file that is made.
const newFileMode = 0o644

func (s *Server) writeFile(ctx context.Context, in writeInput) (writeOutput, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return writeOutput{}, err
	}
	file, err := name(in.Path)
	if err != nil {
		return writeOutput{}, err
	}
	data, mode, err := in.decode()
	if err != nil {
		return writeOutput{}, err
	}
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return writeOutput{}, err
	}
	defer cancel()
	g := m.vm.FS().WithContext(ctx)
	if up := path.Dir(file); up != "." {
		if err := g.MkdirAll(up, 0o755); err != nil {
			return writeOutput{}, fileFault(err)
		}
	}
	if err := g.WriteFile(file, data, newFileMode); err != nil {
		return writeOutput{}, fileFault(err)
	}
	if in.Mode != "" {
		if err := g.Chmod(file, mode); err != nil {
			return writeOutput{}, fileFault(err)
		}
	}
	return writeOutput{int64(len(data))}, nil
}

type listInput struct {
	Machine string `json:"machine" jsonschema:"the machine's name"`
	Path    string `json:"path" jsonschema:"the folder's absolute name in the guest"`
}

type listEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type" jsonschema:"file, folder, link or other"`
	Size     int64  `json:"size"`
	Mode     string `json:"mode" jsonschema:"as ls -l shows it"`
	Modified string `json:"modified"`
}

type listOutput struct {
	Entries   []listEntry `json:"entries"`
	Truncated bool        `json:"truncated" jsonschema:"whether there are more entries than are listed"`
}

// maxEntries bounds a list.
const maxEntries = 500

func (s *Server) listFolder(ctx context.Context, in listInput) (listOutput, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return listOutput{}, err
	}
	folder, err := name(in.Path)
	if err != nil {
		return listOutput{}, err
	}
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return listOutput{}, err
	}
	defer cancel()
	found, err := m.vm.FS().WithContext(ctx).ReadDir(folder)
	if err != nil {
		return listOutput{}, fileFault(err)
	}
	out := listOutput{Entries: []listEntry{}, Truncated: len(found) > maxEntries}
	for _, e := range found[:min(len(found), maxEntries)] {
		entry := listEntry{Name: strings.ToValidUTF8(e.Name(), "\ufffd"), Type: kind(e.Type())}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was
		}
		if err != nil {
			return listOutput{}, fileFault(err)
		}
		entry.Size, entry.Mode, entry.Modified = info.Size(), info.Mode().String(), info.ModTime().UTC().Format(time.RFC3339)
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "link"
	}
	return "other"
}

// fileFault is an error of the guest's files with the name as it was asked for.
func fileFault(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return refusef("%s /%s: %w", p.Op, strings.TrimPrefix(p.Path, "."), p.Err)
	}
	return err
}
