package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
)

// newVolume groups what is about volumes, as docker volume does.
func newVolume() *cobra.Command {
	c := &cobra.Command{
		Use: "volume", Short: "Folders that are kept by name, for run -v NAME:GUEST",
		Long: `Folders that are kept by name, in ~/.local/state/alpinevm/volumes (XDG_STATE_HOME).
run -v NAME:GUEST makes one if it is missing.`,
	}
	c.AddCommand(newVolumeCreate(), newVolumeLs(), newVolumeInspect(), newVolumeRm(), newVolumePrune())
	return group(c)
}

func newVolumeCreate() *cobra.Command {
	c := &cobra.Command{
		Use: "create [NAME]", Short: "Make a volume, with a name that is made up if none is given",
		Example: "  alpinevm volume create data && alpinevm run -v data:/data alpine", Args: want(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			name := machines.NewName()
			if len(args) > 0 {
				name = args[0]
			}
			if err := machines.MakeVolume(name); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), name)
			return nil
		},
	}
	return c
}

// shownVolume is a volume as docker shows it.
type shownVolume struct {
	CreatedAt                       time.Time
	Driver, Mountpoint, Name, Scope string
	UsedBy                          []string
}

func showVolume(v machines.Volume) shownVolume {
	return shownVolume{v.Created, "local", v.Dir, v.Name, "local", v.UsedBy}
}

func newVolumeLs() *cobra.Command {
	var quiet bool
	var format string
	c := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the volumes", Example: "  alpinevm volume ls", Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := machines.Volumes()
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if format != "table" && !quiet {
				var all []shownVolume
				for _, v := range list {
					all = append(all, showVolume(v))
				}
				return printEach(out, format, all)
			}
			w := tabwriter.NewWriter(out, 9, 1, 3, ' ', 0)
			if !quiet {
				fmt.Fprintln(w, "DRIVER\tVOLUME NAME")
			}
			for _, v := range list {
				if !quiet {
					fmt.Fprint(w, "local\t")
				}
				fmt.Fprintln(w, v.Name)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print names only")
	c.Flags().StringVar(&format, "format", "table", "print a table, json, or each as this `FORMAT` says")
	return c
}

func newVolumeInspect() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "inspect NAME...", Short: "Print what is known of volumes, as JSON", Example: "  alpinevm volume inspect -f '{{.Mountpoint}}' data", Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			list := []shownVolume{}
			var result error
			for _, name := range args {
				v, err := machines.FindVolume(name)
				if err != nil {
					result = told(err)
					continue
				}
				list = append(list, showVolume(v))
			}
			return cmp.Or(printList(c.OutOrStdout(), format, list), result)
		},
		ValidArgsFunction: completeVolumes,
	}
	c.Flags().StringVarP(&format, "format", "f", "", "print each as this `FORMAT` says, or json")
	return c
}

// printList prints a list as JSON, or each of it as a format says.
func printList[T any](out io.Writer, format string, list []T) error {
	if format != "" {
		return printEach(out, format, list)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}

func newVolumeRm() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "rm NAME...", Aliases: []string{"remove"}, Short: "Remove volumes that no machine uses, with all that is in them", Example: "  alpinevm volume rm data", Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return each(c.OutOrStdout(), args, func(name string) error {
				err := machines.RemoveVolume(name)
				if force && machines.IsNoVolume(err) {
					err = nil
				}
				return err
			})
		},
		ValidArgsFunction: completeVolumes,
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not complain of those that there are not")
	return c
}

func newVolumePrune() *cobra.Command {
	var force, all bool
	c := &cobra.Command{
		Use: "prune", Short: "Remove volumes that no machine uses", Example: "  alpinevm volume prune -a", Args: want(0, 0),
		Long: `With -a, remove all volumes that no machine uses, kept ones that do not run
included. Without it nothing is removed, as with docker: all volumes have names.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !all {
				say(os.Stderr, "all volumes have names: -a removes those that no machine uses")
			} else if !force && !confirmed(c, "This removes all volumes that no machine uses, with all that is in them.") {
				return nil
			}
			sum := int64(0)
			if all {
				var err error
				if sum, err = pruneVolumes(c.OutOrStdout()); err != nil {
					return err
				}
			}
			return reclaimed(c.OutOrStdout(), sum)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	c.Flags().BoolVarP(&all, "all", "a", false, "remove those with names, which all have")
	return c
}

// pruneVolumes removes what no machine uses, and tells how many bytes that had.
func pruneVolumes(out io.Writer) (sum int64, err error) {
	list, err := machines.Volumes()
	if err != nil {
		return 0, err
	}
	for _, v := range list {
		if len(v.UsedBy) > 0 || v.Running() {
			continue
		}
		n, err := v.Size()
		if err != nil {
			return sum, err
		}
		if err := machines.RemoveVolume(v.Name); err != nil {
			return sum, err
		}
		sum += n
		fmt.Fprintln(out, v.Name)
	}
	return sum, nil
}

// reclaimed tells how much room there is again.
func reclaimed(out io.Writer, sum int64) error {
	_, err := fmt.Fprintf(out, "Total reclaimed space: %s\n", units.HumanSizeWithPrecision(float64(sum), 3))
	return err
}

// confirmed asks whether to do what text says.
func confirmed(c *cobra.Command, text string) bool {
	fmt.Fprint(c.OutOrStdout(), text+" Go on? [y/N] ")
	answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	a := strings.ToLower(strings.TrimSpace(answer))
	return a == "y" || a == "yes"
}

// completeVolumes completes the names of volumes.
func completeVolumes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	list, _ := machines.Volumes()
	var names []string
	for _, v := range list {
		names = append(names, v.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
