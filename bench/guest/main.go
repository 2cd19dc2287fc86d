//go:build linux

// Command guest is what bench runs in a guest, and on the peers that it is
// compared with: one static program, cross-built for linux/386 from the source
// that alpinevm carries. It imports nothing but the standard library.
//
//	guest cpu [-time D] [NAME...]    how fast the processor is, a name a workload
//	guest fs [-part N] DIR           how fast the file system is that DIR is on
//	guest net ADDR                   how fast TCP to the server of bench net is
//	guest exec PROGRAM [ARG...]      what another program says
//	guest ready                      that it has been started
//
// Before any of them may stand what it needs first:
//
//	mount TYPE SOURCE DIR OPTIONS    a file system
//	address ADDR/BITS                of the network card
//
// It tells on standard output what it does, in lines that package bench reads:
//
//	@begin NAME
//	@end NAME n=OPERATIONS ns=TIME bytes=BYTES
//	@failed NAME REASON
//
// A workload checks its own result, so that a wrong answer is never a number.
// As process 1, which it is in an initial root file system of its own, it loads
// the kernel's modules that it finds there, runs the command line after "--" of
// the kernel's, and switches the machine off.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	if os.Getpid() == 1 {
		boot()
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

// run does what a command line says.
func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: guest cpu [-time D] [NAME...] | fs DIR | net ADDR")
	}
	switch command, args := args[0], args[1:]; command {
	case "mount":
		if len(args) < 4 {
			return errors.New("usage: guest mount TYPE SOURCE DIR OPTIONS COMMAND [ARG...]")
		}
		if err := mount(args[0], args[1], args[2], args[3]); err != nil {
			return err
		}
		return run(args[4:])
	case "address":
		if len(args) < 1 {
			return errors.New("usage: guest address ADDR/BITS COMMAND [ARG...]")
		}
		if err := address(args[0]); err != nil {
			return err
		}
		return run(args[1:])
	case "nothing": // a process that the workload "process" starts
		return nil
	case "exec":
		if len(args) == 0 {
			return errors.New("usage: guest exec PROGRAM [ARG...]")
		}
		c := exec.Command(args[0], args[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		return c.Run()
	case "ready":
		tell("@ready\n")
		return nil
	case "cpu":
		f := flag.NewFlagSet(command, flag.ContinueOnError)
		d := f.Duration("time", time.Second, "measure each workload for this long")
		if err := f.Parse(args); err != nil {
			return err
		}
		return cpu(*d, f.Args())
	case "fs":
		f := flag.NewFlagSet(command, flag.ContinueOnError)
		part := f.Int("part", 1, "do one N-th of the work")
		if err := f.Parse(args); err != nil {
			return err
		}
		if f.NArg() != 1 || *part < 1 {
			return errors.New("usage: guest fs [-part N] DIR")
		}
		return files(f.Arg(0), *part)
	case "net":
		if len(args) != 1 {
			return errors.New("usage: guest net ADDR")
		}
		return network(args[0])
	default:
		return fmt.Errorf("unknown command %q", command)
	}
}

// begin, end and failed write the lines that package bench reads.
func begin(name string) { tell("@begin %s\n", name) }

func end(name string, n int, d time.Duration, bytes int64) {
	tell("@end %s n=%d ns=%d bytes=%d\n", name, n, d.Nanoseconds(), bytes)
}

func failed(name string, err error) error {
	tell("@failed %s %v\n", name, err)
	return fmt.Errorf("%s: %w", name, err)
}

// tell returns when the line has left the machine, if it goes to a serial port.
func tell(format string, args ...any) {
	fmt.Printf(format, args...)
	drain(os.Stdout)
}

// step measures one piece of work of n operations and so many bytes.
func step(name string, n int, bytes int64, work func() error) error {
	begin(name)
	start := time.Now()
	if err := work(); err != nil {
		return failed(name, err)
	}
	end(name, n, time.Since(start), bytes)
	return nil
}
