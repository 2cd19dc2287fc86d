package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/internal/website"
	"alpinevm/net/httpgate"
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
	f := &siteFlags{write: (*alpinevm.Snapshot).WriteThorough} // once, for many who load it
	var to, network string
	way := &website.Network{}
	c := &cobra.Command{
		Use:   "build [flags] -o DIR [IMAGE | --] [COMMAND [ARG...]]",
		Short: "Make a folder that any host of files serves: a page with a machine in it",
		Long: `Make a folder with a page that boots a machine in whoever opens it's browser, and
all that it needs. A host of files is enough: nothing runs there. Of the root
file system a browser gets what its guest reads.

Without a relay the guest reaches, by HTTP at port 80 and by names, hosts that let
every page read what they answer (CORS): its browser fetches. Alpine's packages
come from the first --fetch-mirror that answers.`,
		Example: `  alpinevm web build -o site alpine:3.20
  alpinevm web build -o site alpine:3.20 sh -c 'echo hello; exec sh'
  alpinevm web build -o site --fetch-mirror https://mirror.example.org/alpine alpine:3.20
  alpinevm web build -o site --network wss://relay.example.org/ alpine:3.20
  # try it
  python3 -m http.server -d site`,
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return errors.New("web build: where to? give -o DIR, a folder that is not there yet, or empty")
			}
			if _, err := web.Files(); err != nil {
				return err
			}
			list, err := os.ReadDir(to)
			if err == nil && len(list) > 0 {
				if _, err := os.Stat(website.Dir(to).Name(website.MachineFile)); err != nil {
					return fmt.Errorf("-o %s: there is something else in the folder; give one that is empty", to)
				}
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("-o %s: it is no folder: %w", to, pathCause(err))
			}
			if f.way, err = wayOut(network, way); err != nil {
				return err
			}
			f.run.network.kind = networkNone // that of the browser is another one
			if err := f.make(c.Context(), website.Dir(to), args, c.ArgsLenAtDash() == 0); err != nil {
				return err
			}
			return page(website.Dir(to))
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVarP(&to, "output", "o", "", "make the folder `DIR`")
	fl.StringVar(&network, "network", networkFetch, "`NETWORK`: fetch, by the browser; none; or the address of a relay that speaks the Wisp protocol")
	fl.StringArrayVar(&way.Mirrors, "fetch-mirror", nil, "with --network fetch: `ADDRESS` that stands for http://dl-cdn.alpinelinux.org/alpine, from that of the page on (may be repeated)")
	fl.StringArrayVar(&way.HTTPS, "fetch-https", nil, "with --network fetch: `HOST` that is asked by https where the guest asks by http, *.HOST for all below it (may be repeated)")
	return c
}

// networkFetch is the network of a page without a relay.
const networkFetch = "fetch"

// wayOut is the network that is asked for, with what of it was given for fetch.
func wayOut(kind string, fetch *website.Network) (*website.Network, error) {
	if kind != networkFetch && (fetch.Mirrors != nil || fetch.HTTPS != nil) {
		return nil, fmt.Errorf("--fetch-mirror and --fetch-https are for --network %s, and it is %s", networkFetch, kind)
	}
	switch u, err := url.Parse(kind); {
	case kind == networkNone:
		return nil, nil
	case kind == networkFetch:
		fetch.Fetch = true
		return fetch, checkWay(fetch)
	case err == nil && (u.Scheme == "ws" || u.Scheme == "wss") && u.Host != "":
		return &website.Network{Relay: kind}, nil
	}
	return nil, fmt.Errorf("--network %s: want fetch, none, or the address of a relay such as wss://relay.example.org/", kind)
}

// checkWay has what the page would refuse refused here.
func checkWay(n *website.Network) error {
	for _, m := range n.Mirrors {
		if u, err := url.Parse(m); err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" || (u.Scheme == "") != (u.Host == "") || u.User != nil || m == "" {
			return fmt.Errorf("--fetch-mirror %q: want an address such as https://mirror.example.org/alpine, or packages for a folder beside the page", m)
		}
	}
	_, err := httpgate.New(httpgate.Config{HTTPS: slices.Clone(n.HTTPS)})
	if err != nil {
		return fmt.Errorf("--fetch-https: %w", err)
	}
	return nil
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
