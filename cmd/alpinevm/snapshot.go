package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/fs9p/oci/store"
	"alpinevm/internal/control"
	"alpinevm/internal/machines"
	"alpinevm/launch"
)

const snapshotLong = `Save machines that run, look at their snapshots, and change the form of these.

A snapshot is a file that a machine goes on from: alpinevm run --from FILE. Its
memory is raw, which is large, sparse and started at once, or packed, which is
small and to be sent around. It refers to its machine's image by digest, and
holds what the machine has changed, also on its disk. What is shared with -v is
not in it. Who can read it can read all that the machine had in its memory.`

const saveLong = `Save a machine that runs, with all that it has changed, in FILE, or NAME.snapshot.
It goes on, and stands still for some milliseconds only. A snapshot that is there
already is replaced when the new one is whole; no other file is.`

func newSnapshot() *cobra.Command {
	c := &cobra.Command{
		Use:     "snapshot",
		Short:   "Save machines that run, and look at snapshots",
		Long:    snapshotLong,
		Example: "  alpinevm snapshot save box\n  alpinevm run --from box.snapshot\n  alpinevm snapshot inspect box.snapshot\n  alpinevm snapshot pack box.snapshot box.packed",
	}
	c.AddCommand(
		newSnapshotSave(),
		&cobra.Command{
			Use: "inspect FILE...", Short: "Tell what is in snapshots, and whether they are whole", Example: "  alpinevm snapshot inspect box.snapshot", Args: some("FILE"),
			RunE: func(c *cobra.Command, args []string) error {
				return eachFile(args, func(f string) error { return inspectSnapshot(c.OutOrStdout(), f) })
			},
		},
		&cobra.Command{
			Use: "ls [DIR]", Short: "List the snapshots in a folder", Example: "  alpinevm snapshot ls", Args: want(0, 1),
			RunE: func(c *cobra.Command, args []string) error {
				return listSnapshots(c.OutOrStdout(), cmp.Or(append(args, ".")[0], "."))
			},
		},
		&cobra.Command{
			Use: "rm FILE...", Short: "Remove snapshots, and no other files", Example: "  alpinevm snapshot rm box.snapshot", Args: some("FILE"),
			RunE: func(c *cobra.Command, args []string) error { return eachFile(args, removeSnapshot) },
		},
		&cobra.Command{
			Use: "pack FROM TO", Short: "Make a packed snapshot of one", Example: "  alpinevm snapshot pack box.snapshot box.packed", Args: want(2, 2),
			RunE: func(_ *cobra.Command, args []string) error { return convertSnapshot(args[0], args[1], false) },
		},
		&cobra.Command{
			Use: "unpack FROM TO", Short: "Make a raw snapshot of one", Example: "  alpinevm snapshot unpack box.packed box.snapshot", Args: want(2, 2),
			RunE: func(_ *cobra.Command, args []string) error { return convertSnapshot(args[0], args[1], true) },
		},
	)
	return group(c)
}

func newSnapshotSave() *cobra.Command {
	var packed, quiet bool
	c := &cobra.Command{
		Use: "save NAME [FILE]", Short: "Save a machine that runs, and goes on", Long: saveLong,
		Example: "  alpinevm snapshot save box\n  alpinevm snapshot save --packed box box.packed", Args: want(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			file := args[0] + ".snapshot"
			if len(args) > 1 {
				file = args[1]
			}
			stood, err := saveMachine(c.Context(), args[0], file, packed)
			if err == nil && !quiet {
				say(c.ErrOrStderr(), "machine %s is saved in %s; it stood still for %d ms", args[0], file, stood.Milliseconds())
			}
			return err
		},
		ValidArgsFunction: completeMachines,
	}
	c.Flags().BoolVar(&packed, "packed", false, "pack the memory, to send the file around")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but errors")
	return c
}

// saveMachine writes a snapshot of a machine that runs, and tells how long it stood
// still.
func saveMachine(ctx context.Context, name, file string, packed bool) (stood time.Duration, err error) {
	if _, err := machines.Ask(name, &control.Request{Verb: control.Info}); err != nil {
		return 0, err
	}
	var failed error // of the machine, not the file
	var image string
	err = replaceSnapshot(file, func(f *os.File) error {
		s, err := machines.Save(ctx, name, f, packed, false)
		if err != nil {
			if !errors.As(err, new(machines.FileError)) {
				failed = err
			}
			return err
		}
		stood, image = s.Stood, s.Image
		return s.Close()
	})
	if err = cmp.Or(failed, err); err != nil {
		return 0, err
	}
	return stood, pinFor(ctx, image, file)
}

// pinFor has an image stay in the cache as long as a snapshot's file is there. One
// that is not in the cache any more is found as its machine has found it.
func pinFor(ctx context.Context, image, file string) error {
	if image == "" {
		return nil
	}
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return err
	}
	img, err := s.Image(ctx, image, store.Never)
	if err != nil {
		return nil
	}
	return s.Pin(ctx, img, absolute(file))
}

// eachFile does something with each file, and tells of each that it fails for.
func eachFile(names []string, do func(name string) error) error {
	var result error
	for _, name := range names {
		if err := do(name); err != nil {
			result = told(err)
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
		s, err = alpinevm.OpenSnapshot(mappedFile{f}, info.Size())
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

// writeSnapshot writes a snapshot in the place of what has its name.
func writeSnapshot(name string, s *alpinevm.Snapshot, raw bool) error {
	return replaceSnapshot(name, func(f *os.File) error {
		if raw {
			return s.WriteRaw(f)
		}
		return s.Write(f)
	})
}

// replaceSnapshot writes a snapshot in the place of one that has its name, which
// stays until the new one is whole and on the disk. What is no snapshot is not
// replaced.
func replaceSnapshot(name string, write func(f *os.File) error) error {
	_, err := snapshotInfo(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case errors.Is(err, alpinevm.ErrSnapshot):
		err = errors.New("it is there, and no snapshot: choose another name, or remove it")
	}
	if err == nil {
		err = replaceFile(name, write)
	}
	if err != nil {
		return fmt.Errorf("snapshot %w", pathError(name, err))
	}
	return nil
}
