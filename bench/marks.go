package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Work tells on its output where it is, by lines of their own:
const (
	markBegin  = "@begin "  // and the step's name
	markEnd    = "@end "    // and the step's name, then n=OPERATIONS, ns=TIME, bytes=BYTES as far as they are known
	markFailed = "@failed " // and the step's name and what went wrong
	markDone   = "@done"    // all has been measured
)

// stepScript defines step, which runs and reports one step in a shell script.
const stepScript = `step() {
	name=$1
	shift
	echo "` + markBegin + `$name"
	"$@" >&2 || { s=$?; echo "` + markFailed + `$name exit status $s"; exit 1; }
	echo "` + markEnd + `$name"
}
`

// marker follows the marks in the output of work that is done in one place. Time
// is the host's, taken when a mark arrives.
type marker struct {
	where  string
	r      *Result
	report func(string)
	// count tells how many instructions have been retired; nil: nobody knows.
	count func() uint64
	// other gets the lines that are no marks, with the line feed.
	other io.Writer

	failed string // what went wrong, "" nothing
	done   bool

	mu      sync.Mutex
	current string // the step that is under way, "" none
}

// soon is how often a step that takes long says that it is under way.
const soon = 20 * time.Second

// begin announces a step, and again each time that so much time has passed.
func (k *marker) begin(name string, every time.Duration) {
	k.say(name, k.where+": "+name+" ...")
	start := time.Now()
	var t *time.Timer
	k.mu.Lock()
	defer k.mu.Unlock()
	t = time.AfterFunc(every, func() {
		n := k.retired()
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.current != name {
			return
		}
		text := fmt.Sprintf("%s: %s ... %.0f s", k.where, name, time.Since(start).Seconds())
		if n > 0 {
			text += fmt.Sprintf(", %.3g instructions since the machine's start", float64(n))
		}
		k.report(text)
		t.Reset(every)
	})
}

// say reports text and that the current step is now this one.
func (k *marker) say(current, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = current
	if text != "" {
		k.report(text)
	}
}

func (k *marker) retired() uint64 {
	if k.count == nil {
		return 0
	}
	return k.count()
}

// maxLine is the length of the longest line that is taken for one.
const maxLine = 64 << 10

// maxSteps bounds what a guest can have us remember.
const maxSteps = 10_000

// read follows r to its end, or until more, which it asks behind each line, says
// no; nil: never.
func (k *marker) read(r io.Reader, more func() bool) {
	defer k.say("", "")
	var name string // of the step that is under way, "" none
	var start time.Time
	var before uint64
	for b := bufio.NewReaderSize(r, maxLine); ; {
		line, _, err := b.ReadLine()
		now := time.Now()
		text := strings.TrimRight(string(line), "\r")
		if begun, ok := strings.CutPrefix(text, markBegin); ok {
			name, start, before = begun, now, k.retired()
			k.begin(name, soon)
		} else if s, own, ok := parseEnd(text); ok && s.Name == name && len(k.r.Steps) < maxSteps {
			name = ""
			s.Where, s.Time = k.where, now.Sub(start)
			if k.where == Native && own > 0 {
				s.Time = own // it is the same clock, read without delay
			}
			if n := k.retired(); n > before {
				s.Instructions = n - before
			}
			k.r.Steps = append(k.r.Steps, s)
			k.say("", k.progress(s, own))
		} else if what, ok := strings.CutPrefix(text, markFailed); ok {
			if k.failed == "" { // what follows from it is not the cause
				k.failed = what
			}
		} else if text == markDone {
			k.done = true
		} else if text != "" {
			io.WriteString(k.other, text+"\n")
		}
		if err != nil || more != nil && !more() {
			return
		}
	}
}

// progress describes a step that has been measured. own is its time by the clock
// of where it ran, which must agree with ours.
func (k *marker) progress(s Step, own time.Duration) string {
	text := fmt.Sprintf("%s: %s: %s", k.where, s.Name, duration(float64(s.Time)/float64(s.ops())))
	if s.ops() > 1 {
		text += fmt.Sprintf(", %d times", s.ops())
	}
	if s.Instructions > 0 {
		text += fmt.Sprintf(", %.3g instructions", float64(s.Instructions))
	}
	if off := (s.Time - own).Abs(); own > 0 && off > s.Time/20+20*time.Millisecond {
		k.r.disagree(s)
		text += fmt.Sprintf("; by its own clock %.3f s and not %.3f s", own.Seconds(), s.Time.Seconds())
	}
	return text
}

// parseEnd reads a line that begins with markEnd. The output is a guest's: what
// is not understood is left out.
func parseEnd(text string) (s Step, own time.Duration, ok bool) {
	rest, ok := strings.CutPrefix(text, markEnd)
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return s, 0, false
	}
	s.Name = fields[0]
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch key {
		case "n":
			s.N = int(n)
		case "ns":
			own = time.Duration(n)
		case "bytes":
			s.Bytes = n
		}
	}
	return s, own, true
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if n := t.b.Len() - tailSize; n > 0 {
		t.b.Next(n)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.b.String())
}
