package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"alpinevm/launch"
)

func newHistory() *cobra.Command {
	var quiet, noTrunc bool
	c := &cobra.Command{
		Use: "history IMAGE", Short: "Show how an image in the cache was made", Example: "  alpinevm history alpine:3.20", Args: want(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := launch.Images(launch.Fetching{}, nil)
			if err != nil {
				return err
			}
			img, err := s.Cached(c.Context(), args[0])
			if err != nil {
				return err
			}
			config, err := img.ConfigFile()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 10, 1, 3, ' ', 0)
			if !quiet {
				fmt.Fprintln(w, "IMAGE\tCREATED\tCREATED BY\tCOMMENT")
			}
			id := img.ID.Hex[:12]
			for i := len(config.History) - 1; i >= 0; i-- {
				h := config.History[i]
				created, by := "N/A", []rune(strings.Join(strings.Fields(cmp.Or(h.CreatedBy, "<missing>")), " "))
				if !h.Created.IsZero() {
					created = units.HumanDuration(time.Since(h.Created.Time)) + " ago"
				}
				if !noTrunc && len(by) > historyWidth {
					by = append(by[:historyWidth-1], '…')
				}
				if quiet {
					fmt.Fprintln(w, id)
				} else {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, created, string(by), h.Comment)
				}
				id = "<missing>"
			}
			return w.Flush()
		},
		ValidArgsFunction: completeImages,
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	c.Flags().BoolVar(&noTrunc, "no-trunc", false, "print whole commands")
	return c
}

// historyWidth is how much of what has made a layer a table shows, in characters.
const historyWidth = 45

// shownImage is an image as docker shows it.
type shownImage struct {
	ID                    string `json:"Id"`
	RepoTags, RepoDigests []string
	Created               string `json:",omitempty"`
	Author                string `json:",omitempty"`
	Config                v1.Config
	Architecture, Os      string
	Size                  int64
	RootFS                v1.RootFS
}

func newImageInspect() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "inspect IMAGE...", Short: "Print what is known of images in the cache, as JSON", Args: some("IMAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			list := []shownImage{}
			var result error
			for _, name := range args {
				i, err := inspectImage(c, name)
				if err != nil {
					result = told(err)
					continue
				}
				list = append(list, *i)
			}
			return cmp.Or(printList(c.OutOrStdout(), format, list), result)
		},
		ValidArgsFunction: completeImages,
	}
	c.Flags().StringVarP(&format, "format", "f", "", "print each as this `FORMAT` says, or json")
	return c
}

// inspectImage gathers what is known of an image.
func inspectImage(c *cobra.Command, name string) (*shownImage, error) {
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return nil, err
	}
	img, err := s.Cached(c.Context(), name)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	i := &shownImage{
		ID: img.ID.String(), RepoTags: []string{}, RepoDigests: []string{}, Author: config.Author, Config: img.Config,
		Architecture: config.Architecture, Os: config.OS, Size: img.Size, RootFS: config.RootFS,
	}
	if !img.Created.IsZero() {
		i.Created = img.Created.UTC().Format(time.RFC3339Nano)
	}
	all, err := s.Images(c.Context())
	for _, other := range all {
		if other.ID == img.ID && other.Name.Repository() != "" {
			if other.Name.Tag() != "" {
				i.RepoTags = append(i.RepoTags, other.Name.String())
			}
			i.RepoDigests = append(i.RepoDigests, other.Name.Repository()+"@"+other.Source.String())
		}
	}
	return i, err
}
