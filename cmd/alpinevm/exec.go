package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

// execFlags are the flags of alpinevm exec.
type execFlags struct {
	interactive, tty, detach bool
	env, envFiles            []string
	dir, user, keys          string
}

func newExec() *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use:   "exec [flags] NAME COMMAND [ARG...]",
		Short: "Run a command in a machine that runs",
		Long: `Run a command in a machine that runs, beside its own program: in its
environment, as its user and in its working folder unless flags say otherwise.
Nothing is asked of the image but the command. The exit code is the command's;
125 where it could not be started, 126 and 127 where it cannot be executed or is
not there.

With -t the command gets a terminal of its own. Where this one goes the command
is sent SIGHUP; other signals are passed on to it.`,
		Example: `  alpinevm exec box cat /etc/os-release
  # a shell
  alpinevm exec -it box sh
  # in a pipe
  tar c dir | alpinevm exec -i box tar x -C /srv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("exec: want the NAME of a machine and a COMMAND; alpinevm exec --help shows how")
			}
			return nil
		},
		RunE:              func(_ *cobra.Command, args []string) error { return f.exec(args[0], args[1:]) },
		ValidArgsFunction: completeRunning,
	}
	fl := c.Flags()
	fl.SetInterspersed(false)
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "give the command standard input")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the command a terminal of its own")
	fl.BoolVarP(&f.detach, "detach", "d", false, "do not wait for it")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable: `NAME=VALUE`, or NAME to pass the host's on")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "set the environment variables that this `FILE` names, NAME=VALUE a line")
	accepted(fl, "privileged")
	fl.StringVarP(&f.dir, "workdir", "w", "", "working `DIR` of the command")
	fl.StringVarP(&f.user, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fl.StringVar(&f.keys, "detach-keys", defaultDetachKeys, "`KEYS` that leave the command to itself")
	return c
}

func (f *execFlags) exec(name string, args []string) error {
	env, err := readEnvFiles(f.envFiles)
	if err != nil {
		return err
	}
	if env, err = parseEnvs(append(env, f.env...), os.LookupEnv); err != nil {
		return err
	}
	keys, err := parseDetachKeys(f.keys)
	if err != nil {
		return err
	}
	if f.tty && f.interactive && !inputIsTerminal() {
		return errors.New("-t: standard input is not a terminal; leave out -i or -t")
	}
	keepBrokenPipes()
	p := &control.Command{Args: args, Env: env, Dir: f.dir, User: f.user, TTY: f.tty, Stdin: f.interactive, Detach: f.detach}
	if f.tty {
		p.Cols, p.Rows = windowSize()
		p.Term = os.Getenv("TERM")
	}
	conn, err := machines.Dial(name, &control.Request{Verb: control.Exec, Command: p})
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := conn.Reply()
	if err != nil || f.detach {
		return err
	}
	c := &client{name: name, conn: conn, job: r.Job, tty: f.tty, stdin: f.interactive, keys: keys, sigProxy: true}
	return c.follow()
}
