// Command alpinevm boots 32-bit Linux in a PC written in Go.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"alpinevm/internal/printable"
)

// say prints a message of ours. What is in it of others, guests, images and
// servers, cannot command the terminal.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, printable.Text(fmt.Sprintf("alpinevm: "+format, args...)))
}

func main() {
	command, err := "run", qemuFlag(os.Args[1:], newRun().Flags())
	if err == nil {
		var c *cobra.Command
		c, err = newCommand().ExecuteC()
		command = c.Name()
	}
	var code exitCode
	if err != nil && !errors.As(err, &code) {
		say(os.Stderr, "%s", err)
	}
	os.Exit(exitOf(command, err))
}

const rootLong = `A PC in pure Go that boots 32-bit Alpine Linux: no KVM, no root, no other
program.

  alpinevm run --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz

ends at a shell; see alpinevm run --help. alpinevm doctor says what the host
offers.

Exit codes are docker's: run and exec have the program's, 125 where there is none;
other commands 1 where they fail, and all of them 125 where a flag is wrong.`

func newCommand() *cobra.Command {
	c := &cobra.Command{
		Use:           "alpinevm",
		Short:         "A PC in pure Go that boots 32-bit Alpine Linux",
		Long:          rootLong,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.AddCommand(
		newRun(), newStart(), newStop(), newRestart(), newClone(), newKill(), newPause(), newUnpause(), newWait(), newRm(), newRename(), newPrune(),
		newPs(), newLs(), newExec(), newCp(), newExport(), newAttach(), newLogs(), newInspect(), newPort(), newStats(),
		newPull(), newPush(), newImages(), newRmi(), newTag(), newSave(), newLoad(), newImport(), newCommit(), newImage(),
		newSnapshot(), newServe(), newWeb(), newMCP(), newBench(), newDoctor(), newVersion(), newLookoutProcess(),
	)
	c.SetFlagErrorFunc(wrongFlag)
	c.SetVersionTemplate("{{.Version}}\n")
	c.AddCommand(newContainer(), newVolume(), newSystem(), newInfo(), newHistory(), newDiff(), newTop(), newMan())
	return group(c)
}

// versionLine is what --version prints.
func versionLine() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "alpinevm without build information"
	}
	return fmt.Sprintf("alpinevm %s %s", info.Main.Version, info.GoVersion)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version and how it was built",
		Example: `  alpinevm version`,
		Args:    want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return errors.New("this binary carries no build information")
			}
			fmt.Fprintln(c.OutOrStdout(), versionLine())
			for _, s := range info.Settings {
				switch s.Key {
				case "GOOS", "GOARCH", "vcs.revision", "vcs.time", "vcs.modified":
					fmt.Fprintf(c.OutOrStdout(), "  %s %s\n", s.Key, s.Value)
				}
			}
			return nil
		},
	}
}
