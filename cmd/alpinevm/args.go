package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// some wants arguments, which the usage calls what.
func some(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s: no %s is given; %s --help shows how", c.Name(), what, c.CommandPath())
		}
		return nil
	}
}

// want wants so many arguments, which the command's Use names.
func want(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		_, names, _ := strings.Cut(c.Use, " ")
		switch {
		case most == 0 && len(args) > 0:
			return fmt.Errorf("%s: it takes no arguments, and was given %q; %s --help shows how", c.Name(), args[0], c.CommandPath())
		case len(args) > most:
			return fmt.Errorf("%s: %q is one too many: want %s; %s --help shows how", c.Name(), args[most], names, c.CommandPath())
		case len(args) < least:
			return fmt.Errorf("%s: want %s; %s --help shows how", c.Name(), names, c.CommandPath())
		}
		return nil
	}
}
