package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"alpinevm/internal/website"
	"alpinevm/web"
)

func newWeb() *cobra.Command {
	c := &cobra.Command{
		Use:   "web",
		Short: "Machines for browsers",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newWebBuild())
	return c
}

func newWebBuild() *cobra.Command {
	f := &siteFlags{}
	var to string
	c := &cobra.Command{
		Use:   "build [flags] -o DIR [IMAGE | --] [COMMAND [ARG...]]",
		Short: "Make a folder that any host of files serves: a page with a machine in it",
		Long: `Make a folder with a page that boots a machine in whoever opens it's browser, and
all that it needs. A host of files is enough: nothing runs there. Of the root
file system a browser gets what its guest reads.`,
		Example: `  alpinevm web build -o site alpine:3.20
  alpinevm web build -o site alpine:3.20 sh -c 'echo hello; exec sh'
  # try it
  python3 -m http.server -d site`,
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return errors.New("web build: where to? give -o DIR, a folder that is not there yet, or empty")
			}
			if _, err := web.Files(); err != nil {
				return err
			}
			if list, err := os.ReadDir(to); err == nil && len(list) > 0 {
				if _, err := os.Stat(website.Dir(to).Name(website.MachineFile)); err != nil {
					return fmt.Errorf("-o %s: there is something else in the folder; give one that is empty", to)
				}
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("-o %s: it is no folder: %w", to, pathCause(err))
			}
			f.run.network.kind = networkNone // there is nobody who could be a relay
			if err := f.make(c.Context(), website.Dir(to), args, c.ArgsLenAtDash() == 0); err != nil {
				return err
			}
			return page(website.Dir(to))
		},
	}
	f.add(c)
	c.Flags().StringVarP(&to, "output", "o", "", "make the folder `DIR`")
	return c
}

// pathCause is an error of the host without the name of the file.
func pathCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func tooMuchMemory(size string) error {
	return fmt.Errorf("--memory %s: a browser's tab has room for 2G at the most", size)
}
