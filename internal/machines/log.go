package machines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// logRoom is how much a file of a log may hold in bytes. There are two, in turns:
// what is kept is between one and two times as much.
const logRoom = 8 << 20

// LogLine is a piece of what a machine's program has printed, as docker's json-file
// driver keeps it.
type LogLine struct {
	Log    string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`
}

// maxLogLine is how long a piece can be in bytes; a longer one is several.
const maxLogLine = 16 << 10

// Log keeps what a machine's program prints. It makes no file after it was opened.
type Log struct {
	mu    sync.Mutex
	files [2]*os.File
	at    int // the file that is being written
	size  int64
	room  int64
	part  map[string][]byte // lines that have not ended, by stream
	now   func() time.Time
}

// logNames are the files of a log.
func logNames(base string) [2]string { return [2]string{base + ".0", base + ".1"} }

// crashSuffix is of the file beside a log that a crash of ours is written to.
const crashSuffix = ".crash"

// logFiles are all files of a log.
func logFiles(base string) []string {
	names := logNames(base)
	return append(names[:], base+crashSuffix)
}

// CreateLog begins a log anew.
func CreateLog(base string) (*Log, error) {
	l := &Log{room: logRoom, part: map[string][]byte{}, now: time.Now}
	for i, name := range logNames(base) {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			l.Close()
			return nil, err
		}
		l.files[i] = f
	}
	return l, nil
}

// Stream is the writer of a stream, "stdout" or "stderr". What cannot be written,
// since the disk is full, is lost: the program goes on.
func (l *Log) Stream(name string) io.Writer { return logStream{l, name} }

type logStream struct {
	l    *Log
	name string
}

func (s logStream) Write(p []byte) (int, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	part := append(s.l.part[s.name], p...)
	for len(part) > 0 {
		n := bytes.IndexByte(part, '\n') + 1
		if n == 0 && len(part) < maxLogLine {
			break
		}
		if n == 0 || n > maxLogLine {
			n = maxLogLine
		}
		s.l.line(s.name, part[:n])
		part = part[n:]
	}
	s.l.part[s.name] = bytes.Clone(part)
	return len(p), nil
}

// line keeps a line.
func (l *Log) line(stream string, p []byte) {
	b, err := json.Marshal(LogLine{string(p), stream, l.now().UTC()})
	if err != nil || l.files[l.at] == nil {
		return
	}
	b = append(b, '\n')
	if l.size+int64(len(b)) > l.room {
		l.at, l.size = 1-l.at, 0
		if l.files[l.at].Truncate(0) != nil {
			return
		}
	}
	n, _ := l.files[l.at].WriteAt(b, l.size)
	l.size += int64(n)
}

// Close keeps what has no end of a line, and ends the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for stream, p := range l.part {
		if len(p) > 0 {
			l.line(stream, p)
		}
	}
	l.part = map[string][]byte{}
	var err error
	for i, f := range l.files {
		if f != nil {
			err = errors.Join(err, f.Close())
			l.files[i] = nil
		}
	}
	return err
}

// LogReader reads a log that may still be written.
type LogReader struct {
	base string
	last time.Time // of what was read
	seen int       // lines of that time
}

// ReadLog gives a reader of a log.
func ReadLog(base string) *LogReader { return &LogReader{base: base} }

// Moved tells that the log has another name.
func (r *LogReader) Moved(base string) { r.base = base }

// Next gives the lines that have come since the call before.
func (r *LogReader) Next() ([]LogLine, error) {
	var files [2][]LogLine
	missing := 0
	for i, name := range logNames(r.base) {
		list, err := readLines(name)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
		} else if err != nil {
			return nil, err
		}
		files[i] = list
	}
	if missing == len(files) {
		return nil, ErrNoLog
	}
	all := append(files[0], files[1]...)
	if len(files[0]) > 0 && len(files[1]) > 0 && files[1][0].Time.Before(files[0][0].Time) {
		all = append(files[1], files[0]...)
	}
	seen := r.seen
	var list []LogLine
	for _, l := range all {
		switch {
		case l.Time.Before(r.last):
			continue
		case l.Time.Equal(r.last):
			if seen > 0 {
				seen--
				continue
			}
			r.seen++
		default:
			r.last, r.seen = l.Time, 1
		}
		list = append(list, l)
	}
	return list, nil
}

// ErrNoLog is of a machine that has kept none.
var ErrNoLog = errors.New("nothing is kept of what it prints; that is done for machines with a name, and with run -d")

// readLines reads the whole lines of a file.
func readLines(name string) ([]LogLine, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []LogLine
	s := bufio.NewScanner(io.LimitReader(f, 2*logRoom))
	s.Buffer(nil, 8*maxLogLine) // a byte can take six
	for s.Scan() {
		var l LogLine
		if json.Unmarshal(s.Bytes(), &l) == nil { // else it is being written
			list = append(list, l)
		}
	}
	return list, nil
}

// logBase is the name of a kept machine's log.
func logBase(dir string) string { return filepath.Join(dir, "log") }

// LogOf is the name of a kept machine's log, without ".0" and ".1".
func LogOf(name string) (string, error) {
	top, err := folder()
	return logBase(filepath.Join(top, name)), err
}
