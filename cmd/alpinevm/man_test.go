package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand calls f for each command that is shown.
func everyCommand(c *cobra.Command, f func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		f(sub)
		everyCommand(sub, f)
	}
}

// TestManual: each command and each flag stands in the manual page.
func TestManual(t *testing.T) {
	page, err := answer("man")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(page, "\n.SS ") {
		title, text, _ := strings.Cut(part, "\n")
		sections[strings.ReplaceAll(title, `\-`, "-")] = text
	}
	count := 0
	everyCommand(newCommand(), func(c *cobra.Command) {
		text, ok := sections[strings.TrimSpace(strings.TrimPrefix(c.UseLine(), "alpinevm "))]
		if !ok {
			t.Errorf("%s is not in the page", c.UseLine())
			return
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			count++
			if name := roff("--" + f.Name); !f.Hidden && f.Name != "help" && !regexp.MustCompile(regexp.QuoteMeta(name)+`([ ,.\\]|$)`).MatchString(strings.ReplaceAll(text, "\n", " ")) {
				t.Errorf("%s --%s is not in the page", c.CommandPath(), f.Name)
			}
		})
	})
	if count < 200 {
		t.Errorf("only %d flags", count)
	}
}

// TestManualFormat has the programs that there are look for what is wrong in the page.
func TestManualFormat(t *testing.T) {
	page, err := answer("man")
	if err != nil {
		t.Fatal(err)
	}
	tools := [][]string{{"groff", "-ww", "-man", "-Tutf8", "-z"}, {"mandoc", "-Tlint", "-Wwarning"}}
	found := false
	for _, args := range tools {
		if _, err := exec.LookPath(args[0]); err != nil {
			continue
		}
		found = true
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: %v\n%.2000s", strings.Join(args, " "), err, out)
		}
	}
	if !found {
		t.Skip("not here: neither groff nor mandoc, which read manual pages")
	}
}

// TestRoff: no text is taken for a request.
func TestRoff(t *testing.T) {
	for in, want := range map[string]string{`.SH x`: `\&.SH x`, `'x`: `\(aqx`, `a\fBb`: `a\efBb`, `--x`: `\-\-x`} {
		if got := roff(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestCompletions: each command and each flag is completed.
func TestCompletions(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	complete := func(args ...string) []string {
		out, err := answer(append([]string{"__complete"}, args...)...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		var names []string
		for line := range strings.Lines(out) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			names = append(names, name)
		}
		return names
	}
	has := func(list []string, name string) bool {
		for _, n := range list {
			if n == name {
				return true
			}
		}
		return false
	}
	everyCommand(newCommand(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		if list := complete(append(path[:len(path)-1:len(path)-1], path[len(path)-1])...); !has(list, c.Name()) {
			t.Errorf("%s is not completed: %q", c.CommandPath(), list)
		}
		if c.DisableFlagParsing {
			return
		}
		list := complete(append(path, "--")...)
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !has(list, "--"+f.Name) {
				t.Errorf("%s --%s is not completed", c.CommandPath(), f.Name)
			}
		})
	})
}

// TestInstall installs the program, its page and its completions, and takes them away.
func TestInstall(t *testing.T) {
	for _, tool := range []string{"make", "install"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not here: no %s", tool)
		}
	}
	program, err := exec.LookPath("alpinevm")
	if err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	do := func(target string) {
		t.Helper()
		cmd := exec.Command("make", "-C", filepath.Join("..", ".."), "-o", "build", target, "DESTDIR="+dest, "PREFIX=/usr", "PROGRAM="+program)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	do("install")
	for name, want := range map[string]string{
		"bin/alpinevm": "", "share/man/man1/alpinevm.1": ".TH ALPINEVM 1", "share/bash-completion/completions/alpinevm": "__start_alpinevm",
		"share/zsh/site-functions/_alpinevm": "#compdef alpinevm", "share/fish/vendor_completions.d/alpinevm.fish": "complete -c alpinevm",
	} {
		b, err := os.ReadFile(filepath.Join(dest, "usr", name))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v; %q is not in it", name, err, want)
		}
	}
	do("uninstall")
	filepath.WalkDir(dest, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			t.Errorf("%s is left: %v", name, err)
		}
		return nil
	})
}
