package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/internal/website"
	"alpinevm/net/usernet"
	"alpinevm/web"
)

func newServe() *cobra.Command {
	f := &siteFlags{write: (*alpinevm.Snapshot).Write}
	n := &f.run.network
	var address string
	c := &cobra.Command{
		Use:   "serve [flags] [IMAGE | --] [COMMAND [ARG...]]",
		Short: "Show a machine in a browser",
		Long: `Serve a page that boots a machine in the browser which opens it, and print its
address. The page is for this computer alone, unless --address names another of
its addresses. Ctrl-C ends it.`,
		Example: `  alpinevm serve
  alpinevm serve alpine:3.20
  alpinevm serve --address localhost:9000 -m 512M alpine:3.20`,
		RunE: func(c *cobra.Command, args []string) error {
			files, err := web.Files()
			if err != nil {
				return err
			}
			at, err := listenAddress(address)
			if err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "alpinevm-serve-*")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			site := website.Dir(dir)
			out, err := f.relay()
			if err != nil {
				return err
			}
			if out != nil {
				f.way = &website.Network{Relay: out.path()}
			}
			l, err := net.Listen("tcp", at) // before there is work that would be for nothing
			if err != nil {
				return fmt.Errorf("--address %s: %w; is another program there? --address %s takes a port that is free", address, listenCause(err), "localhost:0")
			}
			defer l.Close()
			if err := f.make(c.Context(), site, args, c.ArgsLenAtDash() == 0); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "http://%s/\n", l.Addr())
			return serve(c.Context(), l, siteHandler(site, http.FileServerFS(files), out))
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&n.kind, "network", "", "network: user, by a relay in this program, or none (default user)")
	fl.StringArrayVar(&n.policy.allow, "allow", nil, "let guests reach `WHAT` and nothing else, as run has it (may be repeated)")
	fl.StringArrayVar(&n.policy.deny, "deny", nil, "do not let guests reach `WHAT`, whatever else is allowed")
	fl.BoolVar(&n.hostLoopback, "host-loopback", false, "let guests reach this computer, its 127.0.0.1 as 10.0.2.2")
	fl.BoolVar(&n.privateNetworks, "private-networks", false, "let guests reach private networks")
	fl.StringVar(&address, "address", "localhost:8000", "serve at `HOST:PORT`")
	return c
}

// relay is the way out that the flags ask for; nil: there is none.
func (f *siteFlags) relay() (*relay, error) {
	n := &f.run.network
	cfg, err := n.config(false)
	if cfg == nil || err != nil {
		return nil, err
	}
	rules, ok := cfg.Policy.(*usernet.Rules)
	if !ok {
		return nil, errors.New("BUG: a policy without rules")
	}
	return newRelay(rules, cfg.HostNetworks), nil
}

// listenAddress checks an address to serve at. A port alone is one of this computer's.
func listenAddress(s string) (string, error) {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return net.JoinHostPort("127.0.0.1", s), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("--address %s: want HOST:PORT, such as localhost:8000", s)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

func listenCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// siteHandler serves a machine's files beside the page's.
func siteHandler(site website.Dir, page http.Handler, out *relay) http.Handler {
	mux := http.NewServeMux()
	if out != nil {
		mux.Handle("GET /"+out.path(), out)
	}
	mux.Handle("GET /", page)
	mux.HandleFunc("GET /"+website.MachineFile, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFile(w, r, site.Name(website.MachineFile))
	})
	mux.HandleFunc("GET /"+path.Join(website.ChunkDir, "{name}"), func(w http.ResponseWriter, r *http.Request) {
		data, err := site.Chunk(r.PathValue("name"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(data)
	})
	return mux
}

// serve serves until ctx is done.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
