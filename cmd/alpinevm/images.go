package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/fs9p"
	"alpinevm/fs9p/oci/store"
	"alpinevm/launch"
)

// pullFlags are the flags of alpinevm pull.
type pullFlags struct {
	quiet, noKernel bool
	fetch           fetchFlags
	alpine          alpineFlags
}

func newPull() *cobra.Command {
	f := &pullFlags{}
	c := &cobra.Command{
		Use:   "pull IMAGE...",
		Short: "Download images for linux/386 from a registry, and kernels for them",
		Long: `Download images for linux/386 from a registry, and what run needs besides: the
kernel of an image's release of Alpine, or of the latest one, and a busybox for
an image that has none. After that run needs no network.`,
		Example: `  alpinevm pull alpine:3.20
  # for run --kernel FILE, which needs no other
  alpinevm pull --no-kernel debian:12
  alpinevm pull localhost:5000/folder/image@sha256:...`,
		Args: some("IMAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			var failed error
			for _, ref := range args {
				if err := f.pull(c.Context(), c.OutOrStdout(), ref); err != nil {
					if c.Context().Err() != nil || len(args) == 1 {
						return err
					}
					failed = told(err)
				}
			}
			return failed
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
	fl.BoolVar(&f.noKernel, "no-kernel", false, "download the images alone")
	f.fetch.add(fl)
	f.alpine.add(fl)
	return c
}

// pull pulls an image, and says so as docker does, and a kernel for it.
func (f *pullFlags) pull(ctx context.Context, out io.Writer, ref string) error {
	if err := f.fetch.check(f.quiet); err != nil {
		return err
	}
	progress, finish := newProgress(os.Stderr, f.quiet, "image "+ref+":")
	s, err := launch.Images(f.fetch.fetching(&f.alpine), progress)
	if err != nil {
		return err
	}
	img, fresh, err := s.Pull(ctx, ref)
	finish()
	if err != nil {
		return err
	}
	if !f.noKernel {
		root, err := s.Open(ctx, img)
		if err != nil {
			return err
		}
		defer root.Close()
		if err := f.alpine.mirror().Fetch(ctx, fs9p.IOFS(root), showProgress(f.quiet)); err != nil {
			return fmt.Errorf("image %s is in the cache, but what boots it is not: %w; --no-kernel pulls the image alone", ref, err)
		}
	}
	if f.quiet {
		return nil
	}
	return printPulled(out, img, fresh)
}

func printPulled(out io.Writer, img *store.Image, fresh bool) error {
	status := "Image is up to date for"
	if fresh {
		status = "Downloaded newer image for"
	}
	_, err := fmt.Fprintf(out, "Digest: %s\nStatus: %s %s\n%s\n", img.Source, status, img.Name, img.Name.Full())
	return err
}

// imagesFlags are the flags of alpinevm images.
type imagesFlags struct{ quiet, digests, noTrunc bool }

func newImages() *cobra.Command {
	var f imagesFlags
	c := &cobra.Command{
		Use:   "images [REPOSITORY[:TAG]]",
		Short: "List the images in the cache",
		Example: `  alpinevm images
  alpinevm images alpine`,
		Args: want(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			all, err := s.Images(c.Context())
			if err != nil {
				return err
			}
			var list []*store.Image
			for _, img := range all {
				if len(args) == 0 || img.Name.Repository() == args[0] || img.Name.String() == args[0] {
					list = append(list, img)
				}
			}
			return f.print(c.OutOrStdout(), list, time.Now())
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print IDs only")
	fl.BoolVar(&f.digests, "digests", false, "print digests")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "print whole IDs")
	accepted(fl, "a,all")
	return c
}

// print prints the table that docker images prints.
func (f imagesFlags) print(out io.Writer, list []*store.Image, now time.Time) error {
	w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	if !f.quiet {
		digest := ""
		if f.digests {
			digest = "DIGEST\t"
		}
		fmt.Fprintf(w, "REPOSITORY\tTAG\t%sIMAGE ID\tCREATED\tSIZE\n", digest)
	}
	for _, img := range list {
		id := img.ID.String()
		if !f.noTrunc {
			id = img.ID.Hex[:12]
		}
		if f.quiet {
			fmt.Fprintln(w, id)
			continue
		}
		repository, tag, digest := cmp.Or(img.Name.Repository(), "<none>"), cmp.Or(img.Name.Tag(), "<none>"), ""
		if f.digests {
			digest = img.Source.String() + "\t"
		}
		created := "N/A"
		if !img.Created.IsZero() {
			created = units.HumanDuration(now.Sub(img.Created)) + " ago"
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\t%s\t%s\n", repository, tag, digest, id, created, units.HumanSizeWithPrecision(float64(img.Size), 3))
	}
	return w.Flush()
}

func newRmi() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "rmi IMAGE...",
		Short: "Remove images from the cache, by name or ID",
		Example: `  alpinevm rmi alpine:3.19
  alpinevm rmi nginx:alpine 4f3a5c8e9b1d`,
		Args: some("IMAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			result := launch.ForgetWarm() // they are made again
			for _, name := range args {
				if err := remove(c.Context(), c.OutOrStdout(), s, name, force); err != nil {
					result = told(err)
				}
			}
			return result
		},
	}
	accepted(c.Flags(), "no-prune")
	c.Flags().BoolVarP(&force, "force", "f", false, "remove an image by ID with all of its names, or the name of one that a machine is made from")
	c.ValidArgsFunction = completeImages
	return c
}

func remove(ctx context.Context, out io.Writer, s *store.Store, name string, force bool) error {
	r, err := s.Remove(ctx, name, force)
	var inUse *store.InUseError
	if errors.As(err, &inUse) {
		return explainInUse(name, inUse)
	}
	if r == nil {
		return err
	}
	for _, n := range r.Names {
		fmt.Fprintln(out, "Untagged:", n)
	}
	if r.Image != "" {
		fmt.Fprintln(out, "Deleted:", r.Image)
	}
	return err
}

// explainInUse says which machines and snapshots have to go before an image can.
func explainInUse(image string, inUse *store.InUseError) error {
	var names, files []string
	for _, owner := range inUse.Owners {
		if info, err := os.Stat(owner); err == nil && info.Mode().IsRegular() {
			files = append(files, owner)
		} else {
			names = append(names, filepath.Base(owner))
		}
	}
	var why []string
	if len(names) > 0 {
		why = append(why, fmt.Sprintf("machines are made from it (%s); alpinevm rm removes them", strings.Join(names, ", ")))
	}
	if len(files) > 0 {
		why = append(why, fmt.Sprintf("snapshots are of machines of it (%s); alpinevm snapshot rm removes them", strings.Join(files, ", ")))
	}
	return fmt.Errorf("image %s: %s", image, strings.Join(why, "; "))
}
