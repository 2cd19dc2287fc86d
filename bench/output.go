package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// duration shows three or four digits that count.
func duration(d float64) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= float64(u.unit) {
			return fmt.Sprintf("%.2f %s", d/float64(u.unit), u.name)
		}
	}
	return fmt.Sprintf("%.1f ns", d)
}

// Table writes medians for people: the time of an operation in each place, how
// many times as long as each peer the guest takes, and the guest's instructions.
func (r *Result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	places := r.names(func(s Step) string { return s.Where })
	count, rate := false, false
	for _, s := range r.Steps {
		count = count || s.Instructions > 0
		rate = rate || s.Bytes > 0
	}
	head := []string{r.Workload}
	for _, p := range places {
		head = append(head, p)
		if rate {
			head = append(head, "MB/s")
		}
		if p != Guest {
			head = append(head, Guest+"/"+p)
		}
	}
	if count {
		head = append(head, "instructions", "ns each")
	}
	fmt.Fprintln(t, strings.Join(head, "\t")+"\t")
	for _, name := range r.names(func(s Step) string { return s.Name }) {
		row := []string{name}
		guest, measured := r.median(name, Guest)
		for _, p := range places {
			row = append(row, r.cells(name, p, guest, measured, rate)...)
		}
		if count {
			if guest.Instructions > 0 {
				row = append(row, fmt.Sprintf("%.4g", float64(guest.Instructions)/float64(guest.ops())), fmt.Sprintf("%.2f", guest.NanosPerInstruction()))
			} else {
				row = append(row, "-", "-")
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	notes := r.Notes
	if len(r.Doubtful) > 0 {
		notes = append(slices.Clone(notes), "guest and host differ by more than 5 % about the time of "+strings.Join(r.Doubtful, ", ")+": the host is busy; the figures are by its clock")
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}

// cells are the columns of a place in a row of the table.
func (r *Result) cells(name, place string, guest Step, measured, rate bool) []string {
	s, ok := r.median(name, place)
	each := float64(s.Time) / float64(s.ops())
	row := []string{"-"}
	if ok {
		row[0] = duration(each)
	}
	if rate {
		if s.Bytes > 0 {
			row = append(row, fmt.Sprintf("%.1f", s.Rate()))
		} else {
			row = append(row, "-")
		}
	}
	if place != Guest {
		if ok && measured && each > 0 {
			row = append(row, fmt.Sprintf("%.2f", float64(guest.Time)/float64(guest.ops())/each))
		} else {
			row = append(row, "-")
		}
	}
	return row
}

// Format writes every measurement in the Go benchmark format
// (golang.org/design/14313-benchmark-format), the place as the last part of the
// name: "benchstat -col /where" compares them.
func (r *Result) Format(w io.Writer) error {
	for _, s := range r.Steps {
		n := s.ops()
		line := fmt.Sprintf("Benchmark%s/%s/where=%s %d %.1f ns/op", r.Workload, s.Name, s.Where, n, float64(s.Time)/float64(n))
		if s.Bytes > 0 {
			line += fmt.Sprintf(" %.2f MB/s", s.Rate())
		}
		if s.Instructions > 0 {
			line += fmt.Sprintf(" %.0f insn/op %.3f ns/insn", float64(s.Instructions)/float64(n), s.NanosPerInstruction())
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
