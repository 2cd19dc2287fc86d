package main

import (
	"strings"

	"github.com/spf13/cobra"

	"alpinevm/bench"
)

// addEngine adds the flag that says what executes a guest.
func addEngine(c *cobra.Command, engine *string) {
	c.Flags().StringVar(engine, "engine", "", "what executes the guest's instructions: `NAME` is "+strings.Join(bench.Engines(), ", ")+" (default the translator where the host can have it)")
	complete(c, "engine", bench.Engines()...)
}
