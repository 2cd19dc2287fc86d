package main

import (
	"os"

	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

func newAttach() *cobra.Command {
	var keys string
	var noStdin, sigProxy bool
	c := &cobra.Command{
		Use:   "attach NAME",
		Short: "Follow what a machine's own program prints, and type to it",
		Long: `Follow what a machine's own program prints from here on, and type to it where
the machine was started by run -d -i. The keys ctrl-p ctrl-q leave it running.
The exit code is the machine's.`,
		Example: `  alpinevm run -dit --name box alpine:3.20
  alpinevm attach box`,
		Args: want(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			detach, err := parseDetachKeys(keys)
			if err != nil {
				return err
			}
			return attach(args[0], detach, !noStdin, sigProxy)
		},
		ValidArgsFunction: completeRunning,
	}
	fl := c.Flags()
	fl.StringVar(&keys, "detach-keys", defaultDetachKeys, "`KEYS` that leave the machine to itself")
	fl.BoolVar(&noStdin, "no-stdin", false, "type nothing")
	fl.BoolVar(&sigProxy, "sig-proxy", true, "pass signals on to the program")
	return c
}

func attach(name string, keys []byte, stdin, sigProxy bool) error {
	keepBrokenPipes()
	r := &control.Request{Verb: control.Attach, Stdin: stdin}
	if inputIsTerminal() {
		r.Cols, r.Rows = windowSize()
	}
	conn, err := machines.Dial(name, r)
	if err != nil {
		return err
	}
	defer conn.Close()
	reply, err := conn.Reply()
	if err != nil {
		return err
	}
	m := reply.Machine
	if stdin && !m.Stdin && interactive() {
		say(os.Stderr, "machine %s takes no input from here; it does when it is started by run -d -i", name)
	}
	c := &client{name: name, conn: conn, tty: m.TTY, stdin: stdin && m.Stdin, keys: keys, sigProxy: sigProxy}
	return c.follow()
}
