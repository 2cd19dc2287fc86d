package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"alpinevm"
)

// profileFlags are the flags about the profile as they were given.
type profileFlags struct {
	name, every string
	file        *os.File // nil: none is wanted
}

// profileEvery is some three hundred samples a second.
const profileEvery = "1_000_000"

func (f *profileFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "profile", "", "write what the guest has executed to `FILE`, for go tool pprof: by function, process and ring")
	fl.StringVar(&f.every, "profile-every", profileEvery, "take a sample for the profile after `COUNT` instructions, on average")
}

// config puts what the flags ask for into d.
func (f *profileFlags) config(d *alpinevm.Debug) error {
	if f.name == "" {
		if f.every != "" && f.every != profileEvery {
			return errors.New("--profile-every needs --profile FILE, which says where the profile goes")
		}
		return nil
	}
	every, err := parseCount("--profile-every", f.every)
	if err == nil && every < 1000 {
		err = fmt.Errorf("--profile-every %q: want 1000 or more", f.every)
	}
	d.Profile = alpinevm.NewProfile(every)
	return err
}

// create makes the file, before the guest has run for nothing.
func (f *profileFlags) create() (err error) {
	if f.name == "" {
		return nil
	}
	if f.file, err = os.Create(f.name); err != nil {
		return f.fault(err)
	}
	return nil
}

func (f *profileFlags) fault(err error) error {
	return fmt.Errorf("--profile %s: %w", f.name, cause(err))
}

// write writes the profile, however the machine has ended.
func (f *profileFlags) write(m *alpinevm.Machine) error {
	if f.file == nil {
		return nil
	}
	err := m.WriteProfile(f.file)
	if e := f.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return f.fault(err)
	}
	return nil
}
