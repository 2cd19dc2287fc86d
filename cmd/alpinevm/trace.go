package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"alpinevm"
)

// traceFlags are the flags that say what is traced, where and whereto.
type traceFlags struct {
	kinds, ranges []string
	from, to      string
	ring          string
	limit, file   string
}

func (f *traceFlags) add(fl *pflag.FlagSet) {
	fl.StringSliceVar(&f.kinds, "trace", nil, "report to standard error: exceptions, interrupts, io, post, 9p, code (`KINDS`, comma-separated)")
	fl.StringSliceVar(&f.ranges, "trace-at", nil, "trace instructions at these linear addresses alone: `RANGES` such as c1000000-c1ffffff or 7c00, hexadecimal, comma-separated")
	fl.StringVar(&f.from, "trace-from", "", "begin the trace when `COUNT` instructions have retired")
	fl.StringVar(&f.to, "trace-to", "", "end the trace, but not the guest, when `COUNT` instructions have retired")
	fl.StringVar(&f.ring, "trace-ring", "", "trace only what `RING` does: user or kernel")
	fl.StringVarP(&f.file, "trace-file", "o", "", "write the trace to `FILE` instead, which is made new")
	fl.StringVar(&f.limit, "trace-limit", "64M", "end the trace, but not the guest, after `SIZE`; 0: never")
}

// traceKind is a value of --trace.
type traceKind struct {
	name string
	kind alpinevm.Trace
}

var traceKinds = []traceKind{
	{"exceptions", alpinevm.TraceExceptions}, {"interrupts", alpinevm.TraceInterrupts}, {"io", alpinevm.TraceIO},
	{"post", alpinevm.TracePOST}, {"9p", alpinevm.Trace9P}, {"code", alpinevm.TraceCode},
}

// Values of --trace-ring.
const (
	ringUser   = "user"
	ringKernel = "kernel"
)

// config puts what the flags ask for into d.
func (f *traceFlags) config(d *alpinevm.Debug) (err error) {
	if d.Trace, err = parseTrace(f.kinds); err != nil {
		return err
	}
	if d.TraceLimit, err = units.RAMInBytes(cmp.Or(f.limit, "0")); err != nil {
		return fmt.Errorf("--trace-limit %q: want a size such as 64M, or 0", f.limit)
	}
	where := &d.TraceFilter
	if where.From, err = parseCount("--trace-from", f.from); err != nil {
		return err
	}
	if where.To, err = parseCount("--trace-to", f.to); err != nil {
		return err
	}
	if f.to != "" && where.To <= where.From {
		return fmt.Errorf("--trace-to %s: want more than --trace-from, which is %d", f.to, where.From)
	}
	switch f.ring {
	case "":
	case ringUser:
		where.Rings = alpinevm.UserRings
	case ringKernel:
		where.Rings = alpinevm.KernelRings
	default:
		return fmt.Errorf("--trace-ring %q: want user or kernel", f.ring)
	}
	for _, s := range f.ranges {
		r, err := parseRange(s)
		if err != nil {
			return err
		}
		where.Ranges = append(where.Ranges, r)
	}
	return f.check()
}

// check refuses flags that narrow or direct a trace where there is none.
func (f *traceFlags) check() error {
	if len(f.kinds) > 0 {
		return nil
	}
	for _, given := range []struct {
		flag string
		is   bool
	}{
		{"--trace-at", len(f.ranges) > 0}, {"--trace-from", f.from != ""}, {"--trace-to", f.to != ""}, {"--trace-ring", f.ring != ""}, {"--trace-file", f.file != ""},
	} {
		if given.is {
			return fmt.Errorf("%s needs --trace KINDS, which says what to report", given.flag)
		}
	}
	return nil
}

// create makes the file that the trace goes to; nil where none is named.
func (f *traceFlags) create() (*stream, error) {
	if f.file == "" {
		return nil, nil
	}
	file, err := os.Create(f.file)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("--trace-file %s: %w", f.file, err)
	}
	return &stream{f: file, name: "--trace-file " + f.file, what: "the trace"}, nil
}

// parseTrace reads the names of what to trace.
func parseTrace(names []string) (alpinevm.Trace, error) {
	var t alpinevm.Trace
	for _, n := range names {
		i := slices.IndexFunc(traceKinds, func(k traceKind) bool { return k.name == n })
		if i < 0 {
			return 0, fmt.Errorf("trace %q: want exceptions, interrupts, io, post, 9p or code", n)
		}
		t |= traceKinds[i].kind
	}
	return t, nil
}

// parseCount reads a count of instructions; "" is 0.
func parseCount(flag, s string) (uint64, error) {
	n, err := strconv.ParseUint(cmp.Or(s, "0"), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q: want a count of instructions, such as 2000000 or 2_000_000", flag, s)
	}
	return n, nil
}

// parseRange reads FIRST-LAST or a single address, both as the kernel's
// System.map and the trace spell them, with 0x or without.
func parseRange(s string) (r alpinevm.TraceRange, err error) {
	first, last, both := strings.Cut(s, "-")
	if !both {
		last = first
	}
	for _, part := range []struct {
		text string
		to   *uint32
	}{{first, &r.First}, {last, &r.Last}} {
		v, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(part.text), "0x"), 16, 32)
		if err != nil {
			return r, fmt.Errorf("--trace-at %q: want addresses such as c1000000-c1ffffff or 7c00, in hexadecimal digits", s)
		}
		*part.to = uint32(v)
	}
	if r.Last < r.First {
		return r, fmt.Errorf("--trace-at %q: it ends before it begins", s)
	}
	return r, nil
}
