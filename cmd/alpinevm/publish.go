package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"alpinevm/fs9p/oci/store"
	"alpinevm/internal/machines"
	"alpinevm/launch"
)

func newTag() *cobra.Command {
	return &cobra.Command{
		Use:     "tag IMAGE NAME[:TAG]",
		Short:   "Give an image in the cache one more name",
		Example: `  alpinevm tag alpine:3.20 localhost:5000/base`,
		Args:    want(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			img, err := s.Cached(c.Context(), args[0])
			if err != nil {
				return err
			}
			return s.Tag(c.Context(), img, args[1])
		},
		ValidArgsFunction: completeImages,
	}
}

func newPush() *cobra.Command {
	var quiet, private bool
	c := &cobra.Command{
		Use:   "push NAME[:TAG]",
		Short: "Put an image into its registry",
		Long: `Put an image of the cache into the registry that its name begins with, with
docker's credentials (docker login, or ~/.docker/config.json).`,
		Example: `  alpinevm tag box-with-gcc localhost:5000/gcc && alpinevm push localhost:5000/gcc`,
		Args:    want(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			progress, finish := newProgress(os.Stderr, quiet, "push "+args[0]+":")
			s, err := launch.Images(launch.Fetching{PrivateRedirects: private}, progress)
			if err != nil {
				return err
			}
			img, err := s.Cached(c.Context(), args[0])
			if err != nil {
				return err
			}
			digest, err := s.Push(c.Context(), img, args[0])
			finish()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: digest: %s\n", args[0], digest)
			return nil
		},
		ValidArgsFunction: completeImages,
	}
	fl := c.Flags()
	fl.BoolVarP(&quiet, "quiet", "q", false, "show no progress")
	fl.BoolVar(&private, "private-redirects", false, "follow the registry to addresses of private networks and of this machine")
	return c
}

func newSave() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:     "save IMAGE...",
		Short:   "Write images of the cache as docker save does",
		Example: `  alpinevm save -o alpine.tar alpine:3.20`,
		Args:    some("IMAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			images := map[string]*store.Image{}
			for _, name := range args {
				if images[name], err = s.Cached(c.Context(), name); err != nil {
					return err
				}
			}
			return toFile(output, func(w io.Writer) error { return s.Save(c.Context(), w, images) })
		},
		ValidArgsFunction: completeImages,
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE` instead of standard output")
	return c
}

func newLoad() *cobra.Command {
	var input string
	c := &cobra.Command{
		Use:   "load [NAME[:TAG]]",
		Short: "Take an image from an archive of docker save, or an OCI layout",
		Long: `Take the image of an archive of docker save, or of an OCI layout in a folder or
an archive, into the cache: under the names that it has there, or NAME.`,
		Example: `  alpinevm load -i alpine.tar
  docker save alpine | alpinevm load`,
		Args: want(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return withFile(input, func(name string) error {
				s, err := launch.Images(launch.Fetching{}, nil)
				if err != nil {
					return err
				}
				img, err := s.Load(c.Context(), name)
				if err != nil {
					return err
				}
				names := img.Tags
				if len(args) > 0 {
					names = args
				}
				if len(names) == 0 {
					return errors.New("the image has no name: alpinevm load -i FILE NAME gives it one")
				}
				for _, n := range names {
					if err := s.Tag(c.Context(), img, n); err != nil {
						return err
					}
					fmt.Fprintln(c.OutOrStdout(), "Loaded image:", n)
				}
				return nil
			})
		},
	}
	accepted(c.Flags(), "q,quiet")
	c.Flags().StringVarP(&input, "input", "i", "", "read this `FILE` instead of standard input")
	return c
}

func newImport() *cobra.Command {
	return &cobra.Command{
		Use:     "import FILE|- NAME[:TAG]",
		Short:   "Make an image of the tar archive of a root file system",
		Example: `  alpinevm export box | alpinevm import - box:plain`,
		Args:    want(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return withFile(args[0], func(name string) error {
				s, err := launch.Images(launch.Fetching{}, nil)
				if err != nil {
					return err
				}
				img, err := s.Import(c.Context(), name)
				if err != nil {
					return err
				}
				if err := s.Tag(c.Context(), img, args[1]); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), img.ID)
				return nil
			})
		},
	}
}

func newCommit() *cobra.Command {
	var message, author string
	c := &cobra.Command{
		Use:   "commit NAME IMAGE[:TAG]",
		Short: "Make an image of a kept machine's files",
		Long: `Make an image of a kept machine's files as they are now, whether it runs or not,
with the configuration of the image that it was made from. The new image has one
layer. Files that programs have open may be half written.`,
		Example: `  alpinevm run --name box alpine:3.20 apk add gcc musl-dev
  alpinevm commit box alpine-gcc && alpinevm run alpine-gcc gcc --version`,
		Args: want(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := machines.Find(args[0])
			if err != nil {
				return err
			}
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			base, err := machines.ImageOf(c.Context(), s, args[0])
			if err != nil {
				return err
			}
			f, err := machines.OpenFiles(c.Context(), args[0])
			if err != nil {
				return err
			}
			now := v1.Time{Time: time.Now().UTC()}
			config := v1.ConfigFile{
				Author: author, Created: now, Config: base.Config,
				History: []v1.History{{Author: author, Created: now, Comment: message, CreatedBy: "alpinevm commit of a machine made from " + r.From}},
			}
			var img *store.Image
			err = withTemp(func(w io.Writer) error { return f.Read(c.Context(), w, "/") }, func(name string) (err error) {
				img, err = s.Make(c.Context(), name, config)
				return err
			})
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			if err := s.Tag(c.Context(), img, args[1]); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), img.ID)
			return nil
		},
		ValidArgsFunction: completeMachines,
	}
	accepted(c.Flags(), "p,pause")
	c.Flags().StringVarP(&message, "message", "m", "", "`TEXT` about it")
	c.Flags().StringVarP(&author, "author", "a", "", "who has made it: `NAME`")
	return c
}

// withFile calls use with a file of that name, or one with what standard input
// holds.
func withFile(name string, use func(name string) error) error {
	if name != "" && name != "-" {
		return use(name)
	}
	if inputIsTerminal() {
		return errors.New("the archive does not come from a terminal; name a FILE, or use a pipe")
	}
	return withTemp(func(w io.Writer) error { _, err := io.Copy(w, os.Stdin); return err }, use)
}

// withTemp calls use with a file that write has written.
func withTemp(write func(io.Writer) error, use func(name string) error) error {
	dir, err := os.MkdirTemp("", "alpinevm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "archive.tar"))
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return use(f.Name())
}

// newImage groups what is about images, as docker image does.
func newImage() *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "The commands about images: image ls, image rm and so on"}
	ls, rm := newImages(), newRmi()
	ls.Use, ls.Aliases, ls.Example = "ls [REPOSITORY[:TAG]]", []string{"list"}, "  alpinevm image ls"
	rm.Use, rm.Aliases, rm.Example = "rm IMAGE...", []string{"remove"}, "  alpinevm image rm alpine:3.19"
	c.AddCommand(ls, rm)
	prune, history := newImagePrune(), newHistory()
	prune.Example, history.Example = "  alpinevm image prune -a", "  alpinevm image history alpine:3.20"
	c.AddCommand(prune, history)
	for _, sub := range []*cobra.Command{newImageInspect(), newPull(), newPush(), newTag(), newSave(), newLoad(), newImport()} {
		sub.Example = "  alpinevm image " + sub.Use
		c.AddCommand(sub)
	}
	return group(c)
}
