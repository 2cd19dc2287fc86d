package machines

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"alpinevm/internal/archive"
	"alpinevm/internal/control"
)

// isOurs tells whether a name in a root is of what a run puts there by itself: the
// resolver's files and what the guest's kernel makes.
func isOurs(name string) bool {
	return slices.Contains([]string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev", "/lib/modules", "/proc", "/sys"}, name)
}

// sendChanges writes what has become of a root's files.
func sendChanges(ctx context.Context, t *archive.Tree, w io.Writer) error {
	b := bufio.NewWriterSize(w, control.MaxFrame)
	err := t.Diff(ctx, isOurs, func(c archive.Change) error {
		_, err := fmt.Fprintf(b, "%c%s\x00", c.Kind, c.Name)
		return err
	})
	if err != nil {
		return err
	}
	return b.Flush()
}

// Diff tells what has become of the files of the machine's image, in the order of
// their names.
func (f *Files) Diff(ctx context.Context) ([]archive.Change, error) {
	var list []archive.Change
	var err error
	if f.tree != nil {
		err = f.tree.Diff(ctx, isOurs, func(c archive.Change) error {
			list = append(list, c)
			return nil
		})
	} else {
		var c *control.Conn
		if c, err = Dial(f.name, &control.Request{Verb: control.Diff, Path: "/"}); err != nil {
			return nil, err
		}
		defer c.Close()
		var b bytes.Buffer
		_, err = c.Stream(&b, io.Discard)
		for line := range strings.SplitSeq(b.String(), "\x00") {
			if line != "" {
				list = append(list, archive.Change{Kind: line[0], Name: line[1:]})
			}
		}
	}
	slices.SortFunc(list, func(a, b archive.Change) int { return strings.Compare(a.Name, b.Name) })
	return list, f.named(err)
}
