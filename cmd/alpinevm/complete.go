package main

import (
	"slices"

	"github.com/spf13/cobra"

	"alpinevm/fs9p/oci/store"
	"alpinevm/internal/machines"
	"alpinevm/launch"
)

// completeFlags tells shells what may follow the flags of run that do not take
// a file.
func completeFlags(c *cobra.Command) {
	var kinds []string
	for _, k := range traceKinds {
		kinds = append(kinds, k.name)
	}
	for flag, values := range map[string][]string{
		"trace": kinds, "trace-ring": {ringUser, ringKernel}, "trace-at": nil, "trace-from": nil, "trace-to": nil, "trace-limit": nil, "profile-every": nil,
		"network": {networkUser, networkNone}, "memory": {"256M", "512M", "1G", "2G", "3G"},
		"pull": {string(store.Always), string(store.Missing), string(store.Never)}, "workdir": nil, "env": nil, "user": nil, "hostname": nil, "append": nil, "cmdline": nil, "timeout": nil, "debug-exit": nil,
	} {
		if c.Flags().Lookup(flag) == nil {
			continue
		}
		if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic("BUG: --" + flag + ": " + err.Error())
		}
	}
	if c.Flags().Lookup("name") == nil {
		return
	}
	err := c.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return machineNames(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic("BUG: --name: " + err.Error())
	}
}

// completeImages completes the names of images in the cache.
func completeImages(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if s, err := launch.Images(launch.Fetching{}, nil); err == nil {
		all, _ := s.Images(c.Context())
		for _, img := range all {
			names = append(names, img.String())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeRunning completes the names of machines that run, where the first
// argument is one.
func completeRunning(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, _ := machines.Running()
	var names []string
	for _, m := range list {
		names = append(names, m.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeMachines completes the names of machines.
func completeMachines(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	names, _ := completeRunning(c, args, prefix)
	for _, name := range machineNames() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
