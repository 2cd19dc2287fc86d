package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp wants of every command a line about it and examples that name it.
func TestHelp(t *testing.T) {
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.Short == "" {
			t.Errorf("%s: no line about it", c.CommandPath())
		}
		if !c.Runnable() || c.HasSubCommands() {
			return
		}
		seen++
		if !strings.Contains(c.Example, "alpinevm "+strings.TrimPrefix(c.CommandPath(), "alpinevm ")) {
			t.Errorf("%s: no example of it in %q", c.CommandPath(), c.Example)
		}
	}
	walk(newCommand())
	if seen < 10 {
		t.Errorf("only %d commands", seen)
	}
}
