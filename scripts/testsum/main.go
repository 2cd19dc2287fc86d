// Command testsum reads the output of go test -json, prints what failed or was
// skipped, and ends with one line that counts the tests. It exits with 1 if a
// test failed, or was skipped for want of something while ALPINEVM_OFFLINE is
// not 1: a green run in which no guest booted would be a lie.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// event is one line of go test -json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// notHere begins the reason of a skip that is right on this host: another user
// or host runs the test, or a flag asks for it.
const notHere = "not here: "

// summary is what is known of a run so far.
type summary struct {
	passed, failed, skipped int
	missing                 int                 // of skipped: for want of something that can be had
	output                  map[string][]string // by package and test
	skips                   []string
}

func main() {
	s := summary{output: map[string][]string{}}
	if err := s.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	offline := os.Getenv("ALPINEVM_OFFLINE") == "1"
	for _, l := range s.skips {
		fmt.Println(l)
	}
	if s.missing > 0 && !offline {
		fmt.Println("tests skipped for want of something fail the run; ALPINEVM_OFFLINE=1 allows them where there is no network")
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.failed > 0 || s.passed == 0 || s.missing > 0 && !offline {
		os.Exit(1)
	}
}

func (s *summary) read(r io.Reader, w io.Writer) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			s.line(line, w)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) line(line string, w io.Writer) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(w, line) // what a compiler says
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(w, e.Output)
		return
	case "pass":
		if e.Test != "" {
			s.passed++
		} else {
			fmt.Fprintf(w, "ok    %s %v\n", e.Package, time.Duration(e.Elapsed*float64(time.Second)).Round(10*time.Millisecond))
		}
	case "fail":
		if e.Test != "" || len(s.output[key]) > 0 {
			s.failed++
			fmt.Fprintf(w, "FAIL  %s\n%s", key, strings.Join(s.output[key], ""))
		}
	case "skip":
		if e.Test != "" {
			why := reason(s.output[key])
			s.skipped++
			if !strings.Contains(why, notHere) {
				s.missing++
			}
			s.skips = append(s.skips, "SKIP  "+key+": "+why)
		}
	default:
		return
	}
	delete(s.output, key)
}

// reason is what the test said before it skipped.
func reason(output []string) string {
	for _, o := range output {
		o = strings.TrimSpace(o)
		if o != "" && !strings.HasPrefix(o, "===") && !strings.HasPrefix(o, "---") {
			return o
		}
	}
	return "no reason given"
}
