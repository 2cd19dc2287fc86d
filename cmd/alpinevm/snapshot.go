package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/launch"
)

const snapshotLong = `Look at snapshots of machines, and change their form.

A snapshot is a file that a machine goes on from: alpinevm run --from FILE. Its
memory is raw, which is large, sparse and started at once, or packed, which is
small and to be sent around. It refers to its machine's image by digest, and
holds what the machine has changed. What is shared with -v is not in it.`

func newSnapshot() *cobra.Command {
	c := &cobra.Command{
		Use:     "snapshot",
		Short:   "Look at snapshots of machines, and change their form",
		Long:    snapshotLong,
		Example: "  alpinevm snapshot inspect box.snapshot\n  alpinevm snapshot pack box.snapshot box.packed",
	}
	c.AddCommand(
		&cobra.Command{
			Use: "inspect FILE...", Short: "Tell what is in snapshots, and whether they are whole", Example: "  alpinevm snapshot inspect box.snapshot", Args: some("FILE"),
			RunE: func(c *cobra.Command, args []string) error {
				return eachFile(args, func(f string) error { return inspectSnapshot(c.OutOrStdout(), f) })
			},
		},
		&cobra.Command{
			Use: "ls [DIR]", Short: "List the snapshots in a folder", Example: "  alpinevm snapshot ls", Args: cobra.MaximumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return listSnapshots(c.OutOrStdout(), cmp.Or(append(args, ".")[0], "."))
			},
		},
		&cobra.Command{
			Use: "rm FILE...", Short: "Remove snapshots, and no other files", Example: "  alpinevm snapshot rm box.snapshot", Args: some("FILE"),
			RunE: func(c *cobra.Command, args []string) error { return eachFile(args, removeSnapshot) },
		},
		&cobra.Command{
			Use: "pack FROM TO", Short: "Make a packed snapshot of one", Example: "  alpinevm snapshot pack box.snapshot box.packed", Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return convertSnapshot(args[0], args[1], false) },
		},
		&cobra.Command{
			Use: "unpack FROM TO", Short: "Make a raw snapshot of one", Example: "  alpinevm snapshot unpack box.packed box.snapshot", Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return convertSnapshot(args[0], args[1], true) },
		},
	)
	return group(c)
}

// eachFile does something with each file, and tells of each that it fails for.
func eachFile(names []string, do func(name string) error) error {
	var result error
	for _, name := range names {
		if err := do(name); err != nil {
			complain(err)
			result = exitCode(1)
		}
	}
	return result
}

// openSnapshot opens a file, which is checked from end to end if check is set.
func openSnapshot(name string, check bool) (*alpinevm.Snapshot, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("snapshot %w", pathError(name, err))
	}
	defer f.Close() // what is mapped stays
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err == nil && check {
		err = alpinevm.CheckSnapshot(f, info.Size())
	}
	var s *alpinevm.Snapshot
	if err == nil {
		s, err = alpinevm.OpenSnapshot(f, info.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %w", pathError(name, err))
	}
	return s, nil
}

// pathError is an error about a file of that name, which is in it once.
func pathError(name string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

func inspectSnapshot(out io.Writer, name string) error {
	s, err := openSnapshot(name, true)
	if err != nil {
		return err
	}
	defer s.Close()
	info := s.Info()
	w := tabwriter.NewWriter(out, 0, 1, 2, ' ', 0)
	line := func(key, format string, args ...any) { fmt.Fprintf(w, "%s:\t%s\n", key, fmt.Sprintf(format, args...)) }
	line("File", "%s", name)
	line("Made", "%s by %s", info.Made.Format(time.RFC3339), info.Program)
	line("Layout", "%s", info.Layout)
	line("Memory", "%s", units.BytesSize(float64(info.Memory)))
	line("Processor", "%s", info.Processor)
	for i, d := range info.Devices {
		line("Device", "%d %s", i+1, d)
	}
	if o, err := launch.ReadOrigin(s); err == nil {
		line("Image", "%s", cmp.Or(o.Source, o.Image, o.Rootfs))
		line("Kernel", "%s", cmp.Or(o.Kernel, "the root's release of Alpine has it"))
		line("Command", "%q", o.Args)
		for _, v := range o.Volumes {
			line("Shared", "%s", v.Guest)
		}
	}
	return w.Flush()
}

// listSnapshots lists the files of a folder that are snapshots.
func listSnapshots(out io.Writer, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return pathError(dir, err)
	}
	w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	fmt.Fprintf(w, "FILE\tLAYOUT\tMEMORY\tSIZE\tMADE\n")
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		about, err := snapshotInfo(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // something else
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s ago\n", e.Name(), about.Layout, units.BytesSize(float64(about.Memory)), units.HumanSize(float64(about.Size)),
			units.HumanDuration(time.Since(about.Made)))
	}
	return w.Flush()
}

// snapshotInfo reads the header of a file alone.
func snapshotInfo(name string) (alpinevm.SnapshotInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return alpinevm.SnapshotInfo{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return alpinevm.SnapshotInfo{}, err
	}
	return alpinevm.ReadSnapshotInfo(f, info.Size())
}

func removeSnapshot(name string) error {
	_, err := snapshotInfo(name)
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("snapshot %w", pathError(name, err))
	}
	return nil
}

func convertSnapshot(from, to string, raw bool) error {
	s, err := openSnapshot(from, true)
	if err != nil {
		return err
	}
	defer s.Close()
	return writeSnapshot(to, s, raw)
}

// writeSnapshot writes a snapshot in the place of what has its name, which stays
// until the new one is whole and on the disk.
func writeSnapshot(name string, s *alpinevm.Snapshot, raw bool) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("snapshot %w", pathError(name, err))
	}
	if raw {
		err = s.WriteRaw(f)
	} else {
		err = s.Write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("snapshot %w", pathError(name, err))
	}
	return nil
}
