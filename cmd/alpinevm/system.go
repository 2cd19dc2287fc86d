package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/machines"
	"alpinevm/launch"
)

// newSystem groups what is about all that is kept, as docker system does.
func newSystem() *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "What the disk is taken by, and how to get it back"}
	info := newInfo()
	info.Example = "  alpinevm system info"
	c.AddCommand(newSystemDf(), newSystemPrune(), info)
	return group(c)
}

// newInfo is doctor, by docker's name.
func newInfo() *cobra.Command {
	c := newDoctor()
	c.Use, c.Short, c.Example = "info", "Say what this host offers (doctor, by docker's name)", "  alpinevm info"
	return c
}

// A kind is a row of system df, in bytes.
type kind struct {
	name           string
	total, active  int
	size, reusable int64
}

func newSystemDf() *cobra.Command {
	return &cobra.Command{
		Use: "df", Short: "Show what images, machines, volumes and kernels take on the disk", Example: "  alpinevm system df", Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			kinds, err := diskUse(c.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 10, 1, 3, ' ', 0)
			fmt.Fprintln(w, "TYPE\tTOTAL\tACTIVE\tSIZE\tRECLAIMABLE")
			size := func(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }
			for _, k := range kinds {
				fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", k.name, k.total, k.active, size(k.size), size(k.reusable))
			}
			return w.Flush()
		},
	}
}

// diskUse adds up what there is.
func diskUse(ctx context.Context) ([]kind, error) {
	kept, err := machines.List()
	if err != nil {
		return nil, err
	}
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return nil, err
	}
	all, err := s.Images(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	m := kind{name: "Machines", total: len(kept)}
	for _, k := range kept {
		used[k.ID] = true
		m.size += k.Size
		if k.Running {
			m.active++
		} else {
			m.reusable += k.Size
		}
	}
	images := kind{name: "Images"}
	had := map[string]bool{}
	for _, img := range all {
		id := img.ID.String()
		if had[id] {
			continue
		}
		had[id] = true
		images.total++
		images.size += img.Size
		if used[id] {
			images.active++
		} else {
			images.reusable += img.Size
		}
	}
	volumes, err := volumeUse()
	if err != nil {
		return nil, err
	}
	kernels, err := kernelUse()
	return []kind{images, m, volumes, kernels}, err
}

func volumeUse() (kind, error) {
	k := kind{name: "Volumes"}
	list, err := machines.Volumes()
	for _, v := range list {
		n, e := v.Size()
		err = errors.Join(err, e)
		k.total++
		k.size += n
		if len(v.UsedBy) > 0 || v.Running() {
			k.active++
		} else {
			k.reusable += n
		}
	}
	return k, err
}

// kernelUse adds up the kernels that were fetched, unpacked and booted: all come again
// by themselves.
func kernelUse() (kind, error) {
	k := kind{name: "Kernels"}
	for _, cache := range []string{"apk", "kernel", "warm"} {
		dir, err := launch.CacheDir(cache)
		if err != nil {
			return k, err
		}
		size, err := statefs.Usage(dir)
		if err != nil {
			return k, err
		}
		k.size += size
		err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.Type().IsRegular() {
				k.total++
			}
			return err
		})
		if err != nil {
			return k, err
		}
	}
	k.reusable = k.size
	return k, nil
}

// pruneWarm removes the kernels that have booted.
func pruneWarm() (sum int64, err error) {
	dir, err := launch.CacheDir("warm")
	if err == nil {
		sum, err = statefs.Usage(dir)
	}
	if err != nil {
		return 0, err
	}
	return sum, launch.ForgetWarm()
}

func newSystemPrune() *cobra.Command {
	var force, all, volumes bool
	c := &cobra.Command{
		Use: "prune", Short: "Remove machines that do not run and images without a name", Example: "  alpinevm system prune -a --volumes", Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			what := "This removes all machines that do not run, with all that is in them, and images without a name"
			if all {
				what = "This removes all machines that do not run, with all that is in them, and all images that no machine is made from"
			}
			if volumes {
				what += ", and all volumes that no machine uses"
			}
			if !force && !confirmed(c, what+".") {
				return nil
			}
			sum, err := pruneMachines(c.Context(), c.OutOrStdout())
			if err != nil {
				return err
			}
			if volumes {
				n, err := pruneVolumes(c.OutOrStdout())
				if sum += n; err != nil {
					return err
				}
			}
			n, err := pruneImages(c.Context(), c.OutOrStdout(), all)
			if err != nil {
				return err
			}
			return reclaimed(c.OutOrStdout(), sum+n)
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&force, "force", "f", false, "do not ask")
	fl.BoolVarP(&all, "all", "a", false, "remove all images that no machine is made from")
	fl.BoolVar(&volumes, "volumes", false, "remove volumes that no machine uses too")
	return c
}

// pruneMachines removes machines that do not run.
func pruneMachines(ctx context.Context, out io.Writer) (sum int64, err error) {
	list, err := machines.List()
	if err != nil {
		return 0, err
	}
	for _, l := range list {
		if l.Running {
			continue
		}
		if err := machines.Remove(ctx, l.Name); err != nil {
			return sum, err
		}
		sum += l.Size
		fmt.Fprintln(out, l.Name)
	}
	return sum, nil
}

// pruneImages removes images that no machine is made from: those without a name, or
// all.
func pruneImages(ctx context.Context, out io.Writer, all bool) (sum int64, err error) {
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return 0, err
	}
	list, err := s.Images(ctx)
	if err != nil {
		return 0, err
	}
	for _, img := range list {
		name := img.Name.String()
		if img.Name.Repository() == "" {
			name = img.ID.Hex
		} else if !all {
			continue
		}
		r, err := s.Remove(ctx, name, false)
		var inUse *store.InUseError
		if errors.As(err, &inUse) {
			continue
		}
		if err != nil {
			return sum, err
		}
		sum += r.Bytes
		for _, n := range r.Names {
			fmt.Fprintln(out, "Untagged:", n)
		}
		if r.Image != "" {
			fmt.Fprintln(out, "Deleted:", r.Image)
		}
	}
	return sum, nil
}

func newImagePrune() *cobra.Command {
	var force, all bool
	c := &cobra.Command{
		Use: "prune", Short: "Remove images without a name, or with -a all that no machine is made from", Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			what := "This removes all images without a name that no machine is made from."
			if all {
				what = "This removes all images that no machine is made from."
			}
			if !force && !confirmed(c, what) {
				return nil
			}
			sum, err := pruneImages(c.Context(), c.OutOrStdout(), all)
			if err != nil {
				return err
			}
			return reclaimed(c.OutOrStdout(), sum)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().BoolVarP(&all, "all", "a", false, "remove those with names too")
	return c
}
