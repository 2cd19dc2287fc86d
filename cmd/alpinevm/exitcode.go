package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// Exit codes besides those of a guest's program. They are docker's: of any command 125
// where a flag is wrong (FlagErrorFunc of its cli package), of run 125 for all that is
// no end of its program, and 1 of a command that has failed otherwise. Deviation: of
// exec they are run's, for 1 is a program's too.
const (
	exitError   = 1
	exitTimeout = 124 // as timeout(1) has it
	exitFailure = 125
	exitKilled  = 128 + 9
)

// ofPrograms are the commands that exit as a guest's program does.
var ofPrograms = []string{"run", "exec"}

// exitCode is an error that sets the exit code and prints nothing.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// flagError is the error of a flag.
type flagError struct{ error }

func (e flagError) Unwrap() error { return e.error }

// codeOfError is the exit code of a run that ends so.
func codeOfError(err error) int { return exitOf("run", err) }

// exitOf is the exit code of a command that ends so.
func exitOf(command string, err error) int {
	var code exitCode
	var flag flagError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &flag) || slices.Contains(ofPrograms, command):
		return exitFailure
	}
	return exitError
}

// wrongFlag says what to use in place of a flag that c does not have, or what is wrong
// with its value.
func wrongFlag(c *cobra.Command, err error) error { return flagError{unknownFlag(c, err)} }

// told is what a command on several things comes to when it has told of what went
// wrong with one of them.
func told(err error) exitCode {
	var code exitCode
	if !errors.As(err, &code) { // else who has set it has told
		complain(err)
	}
	return exitError
}
