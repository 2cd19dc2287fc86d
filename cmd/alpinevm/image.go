package main

import (
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
}

func (i *imageFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&i.pull, "pull", string(store.Missing), "ask the registry for the image: always, missing or never")
	fl.Func("entrypoint", "run `PROGRAM` in place of the image's entry point; empty for none", func(s string) error {
		i.entrypoint = &s
		return nil
	})
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
	url  string
	keys []string
}

func (a *alpineFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&a.url, "mirror", apk.DefaultMirror, "fetch Alpine's kernel from the mirror at this `URL`")
	fl.StringArrayVar(&a.keys, "mirror-key", nil, "trust the public key in this `FILE` to sign the mirror's index, besides Alpine's")
}

func (a *alpineFlags) mirror() launch.Mirror { return launch.Mirror{URL: a.url, Keys: a.keys} }
