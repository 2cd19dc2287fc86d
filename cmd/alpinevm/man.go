package main

import (
	"bufio"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan prints the manual page, which make install puts where man finds it.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Example: "  alpinevm man >alpinevm.1", Args: want(0, 0), Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			m := &manual{w: bufio.NewWriter(c.OutOrStdout())}
			m.page(c.Root(), builtAt())
			return m.w.Flush()
		},
	}
}

// builtAt is the time of the commit that this was built from, or now.
func builtAt() time.Time {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil && s.Key == "vcs.time" {
				return at
			}
		}
	}
	return time.Now()
}

// A manual is a page in the making, in the language of man(7).
type manual struct{ w *bufio.Writer }

// roff gives text as man(7) wants it: nothing in it is a request or an escape.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func (m *manual) line(format string, args ...any) { fmt.Fprintf(m.w, format+"\n", args...) }

// text prints paragraphs, of which lines that are indented stay as they are.
func (m *manual) text(s string) {
	literal := false
	set := func(on bool) {
		if on == literal {
			return
		}
		if literal = on; on {
			m.line(".PP\n.RS 4\n.nf")
		} else {
			m.line(".fi\n.RE")
		}
	}
	fresh := false
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		switch indented := strings.HasPrefix(line, "  "); {
		case line == "":
			fresh = true
			continue
		case indented:
			set(true)
			line = strings.TrimPrefix(line, "  ")
		default:
			if literal || fresh {
				set(false)
				m.line(".PP")
			}
		}
		fresh = false
		m.line("%s", roff(line))
	}
	set(false)
}

// page prints all.
func (m *manual) page(root *cobra.Command, at time.Time) {
	m.line(`.\" made by alpinevm man`)
	m.line(`.TH ALPINEVM 1 %s "%s" "User Commands"`, at.UTC().Format(time.DateOnly), roff(root.Version))
	m.line(".SH NAME\nalpinevm \\- %s", roff(root.Short))
	m.line(".SH SYNOPSIS\n.B alpinevm\n.I COMMAND\n.RI [ ARG ...]")
	m.line(".SH DESCRIPTION")
	m.text(root.Long)
	m.line(".SH COMMANDS")
	m.commands(root)
	m.line(".SH FILES")
	for _, f := range manFiles {
		m.line(".TP\n.I %s\n%s", roff(f[0]), roff(f[1]))
	}
	m.line(".SH SEE ALSO\n.BR docker (1),\n.BR qemu (1)")
}

// manFiles are the files that the page names.
var manFiles = [][2]string{
	{"~/.local/state/alpinevm/machines", "machines that are kept; XDG_STATE_HOME moves it"},
	{"~/.local/state/alpinevm/volumes", "volumes that are kept by name"},
	{"~/.cache/alpinevm", "images, kernels and kernels that have booted; XDG_CACHE_HOME moves it, and all of it comes again by itself"},
	{"~/.docker/config.json", "credentials of registries, as docker login keeps them"},
}

// commands prints each command below c, and those below it.
func (m *manual) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		m.line(".SS %s", roff(strings.TrimSpace(strings.TrimPrefix(sub.UseLine(), c.Root().Name()+" "))))
		if c.Name() == "container" || c.Name() == "image" || c.Name() == "system" && sub.Name() == "info" { // it stands under its own name too
			m.line("%s.", roff(sub.Short))
			m.flagNames(sub)
			continue
		}
		m.line("%s.", roff(sub.Short))
		if sub.Long != "" {
			m.line(".PP")
			m.text(sub.Long)
		}
		if sub.Name() == "run" && !c.HasParent() {
			for _, g := range runGroups {
				m.line(".PP\n%s:", roff(g.title))
				m.flags(sub, strings.Fields(g.flags))
			}
		} else {
			m.flags(sub, nil)
		}
		if sub.Example != "" && !sub.HasSubCommands() {
			m.text(sub.Example)
		}
		m.commands(sub)
	}
}

// flags prints the flags of a command: those of these names, or all where there are
// none.
func (m *manual) flags(c *cobra.Command, names []string) {
	c.InitDefaultHelpFlag()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" && names == nil || names != nil && !slices.Contains(names, f.Name) {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		m.line(".TP")
		if f.Shorthand != "" {
			fmt.Fprintf(m.w, `\fB\-%s\fR, `, f.Shorthand)
		}
		fmt.Fprintf(m.w, `\fB\-\-%s\fR`, roff(f.Name))
		if value != "" {
			fmt.Fprintf(m.w, ` \fI%s\fR`, roff(value))
		}
		m.line("\n%s", roff(usage+defaultOf(f)))
	})
}

// defaultOf is what a flag's usage says of its default.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "0s", "[]", "-1":
		return ""
	}
	return fmt.Sprintf(" (default %s)", f.DefValue)
}

// flagNames names the flags of a command whose page is elsewhere.
func (m *manual) flagNames(c *cobra.Command) {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			names = append(names, roff("--"+f.Name))
		}
	})
	if len(names) > 0 {
		m.line("It has the flags %s.", strings.Join(names, ", "))
	}
}
