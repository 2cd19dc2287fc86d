package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"alpinevm/fs9p/oci/store"
	"alpinevm/kernel/apk"
	"alpinevm/launch"
)

// imageFlags say which image a session runs and what in it.
type imageFlags struct {
	name       string // from the arguments
	pull       string
	entrypoint *string // nil where it is not given
	fetch      fetchFlags
}

func (i *imageFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&i.pull, "pull", string(store.Missing), "ask the registry for the image: always, missing or never")
	fl.Func("entrypoint", "run `PROGRAM` in place of the image's entry point; empty for none", func(s string) error {
		i.entrypoint = &s
		return nil
	})
	i.fetch.add(fl)
}

// take takes the image's name out of the arguments, where it is the first. A
// "--" behind it is left out.
func (i *imageFlags) take(args []string) []string {
	i.name, args = args[0], args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	return args
}

// alpineFlags say where Alpine's packages come from.
type alpineFlags struct {
	url     string
	keys    []string
	private bool
}

func (a *alpineFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&a.url, "mirror", apk.DefaultMirror, "fetch Alpine's kernel from the mirror at this `URL`")
	fl.StringArrayVar(&a.keys, "mirror-key", nil, "trust the public key in this `FILE` to sign the mirror's index, besides Alpine's")
	fl.BoolVar(&a.private, "private-redirects", false, "follow registries and mirrors to addresses of private networks and of this machine")
}

func (a *alpineFlags) mirror() launch.Mirror {
	return launch.Mirror{URL: a.url, Keys: a.keys, PrivateRedirects: a.private}
}

// fetchFlags say which images are taken.
type fetchFlags struct {
	platform string
	large    bool
}

func (f *fetchFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.platform, "platform", "linux/386", "take the image for this `PLATFORM`: linux/amd64 for one that holds 32-bit programs in spite of what it says")
	fl.BoolVar(&f.large, "large-image", false, "take images of more than 32 GB, a million names, or 200 times as much as comes")
}

func (f *fetchFlags) fetching(a *alpineFlags) launch.Fetching {
	return launch.Fetching{Platform: f.platform, PrivateRedirects: a.private, LargeImages: f.large}
}

// check refuses a platform that is none, and warns of one that is not ours.
func (f *fetchFlags) check(quiet bool) error {
	p, err := store.ParsePlatform(f.platform)
	if err != nil {
		return fmt.Errorf("--platform %w", err)
	}
	if p.Architecture != "386" && !quiet {
		fmt.Fprintf(os.Stderr, "alpinevm: --platform %s: this machine runs the 32-bit programs of the image alone\n", f.platform)
	}
	return nil
}
