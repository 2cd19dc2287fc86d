package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newContainer groups what is about machines, as docker container does.
func newContainer() *cobra.Command {
	c := &cobra.Command{Use: "container", Aliases: []string{"machine"}, Short: "The commands about machines: container ls, container rm and so on"}
	ps := newPs()
	ps.Use, ps.Aliases = "ls", []string{"ps", "list"}
	for _, sub := range []*cobra.Command{
		ps, newRun(), newStart(), newStop(), newRestart(), newKill(), newPause(), newUnpause(), newWait(), newRm(), newRename(), newPrune(),
		newExec(), newCp(), newExport(), newAttach(), newLogs(), newInspect(), newPort(), newStats(), newDiff(), newTop(), newCommit(),
	} {
		sub.Example = "  alpinevm container " + strings.ReplaceAll(sub.Use, "[flags] ", "")
		c.AddCommand(sub)
	}
	return group(c)
}
