package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
)

// A Job is a further program in a guest whose session has begun. It is a program of our own (Image) in a folder of the control file
// system, which starts what it is about, carries its streams and says how it ended: nothing is asked of the image.
type Job struct {
	Program
	File   *FileCall // what is done in place of the Program; nil: nothing
	Folder string    // in the control file system; its files are those of JobFiles
	// TTY gives the program a new terminal, of Cols by Rows characters, as its standard files; what it shows goes to JobStdout.
	TTY        bool
	Cols, Rows uint16
	Stdin      bool // the program reads JobStdin; else it reads nothing
	Merged     bool // standard output and error are one pipe
}

// Files of the control file system for jobs.
const (
	// CtlJobs is read by the guest: the first read of an opening blocks until there is a job, and gives the name of its JobRun in
	// JobNameSize bytes, with zeros behind it.
	CtlJobs = "jobs"
	// CtlJobsFailed is written where a job cannot be begun: its name as in CtlJobs, and the negative error of Linux, 32 bits.
	CtlJobsFailed = "jobs.failed"

	// In the folder of a job are its program; CtlStdinNext and so on; JobControl, of which each opening reads one JobControlSize record,
	// and blocks until there is one (see Control); and JobEnd, which gets one record of JobEndSize bytes (see ParseJobEnd) and is closed
	// when nothing looks after the program any more.
	JobRun     = "run"
	JobControl = "control"
	JobEnd     = "end"
)

// Sizes of records in bytes.
const (
	JobNameSize    = 16
	JobFailedSize  = JobNameSize + 4
	JobControlSize = 16
	JobEndSize     = 8
)

// Control is the record that sends the program a signal (0: none), its process group another one, and its terminal, where it has one, a
// size in characters.
func Control(signal, group int, cols, rows uint16) []byte {
	b := make([]byte, JobControlSize)
	le := binary.LittleEndian
	le.PutUint32(b, uint32(signal))
	le.PutUint32(b[4:], uint32(group))
	copy(b[8:], windowSize(cols, rows))
	return b
}

// windowSize is struct winsize (include/uapi/asm-generic/termios.h).
func windowSize(cols, rows uint16) []byte {
	b := make([]byte, 8)
	binary.LittleEndian.PutUint16(b, rows)
	binary.LittleEndian.PutUint16(b[2:], cols)
	return b
}

// What a job's end is about.
const (
	endStatus   = iota // wait(2)'s status
	endProcess         // an error of making processes and pipes
	endTerminal        // or of making a terminal
)

// ErrJob says that the guest could not begin a job.
var ErrJob = errors.New("the guest cannot start the command")

// ParseJobEnd gives the exit code of a record of JobEnd, 128 and its number after a signal.
func ParseJobEnd(b []byte) (int, error) {
	if len(b) != JobEndSize {
		return 0, fmt.Errorf("%w: its answer has %d bytes", ErrJob, len(b))
	}
	v := binary.LittleEndian.Uint32(b[4:])
	switch binary.LittleEndian.Uint32(b) {
	case endStatus:
		if v&0x7f == 0 {
			return int(v >> 8 & 0xff), nil
		}
		return 128 + int(v&0x7f), nil
	case endTerminal:
		return 0, fmt.Errorf("%w: no terminal: %s", ErrJob, linuxError(int32(v)))
	}
	return 0, fmt.Errorf("%w: %s", ErrJob, linuxError(int32(v)))
}

// JobSignal gives the signal that has ended the program of a record of JobEnd; 0 if none has.
func JobSignal(b []byte) int {
	if len(b) != JobEndSize || binary.LittleEndian.Uint32(b) != endStatus {
		return 0
	}
	return int(b[4] & 0x7f)
}

// ParseJobFailed gives what a record of CtlJobsFailed is about.
func ParseJobFailed(b []byte) (folder string, err error) {
	if len(b) != JobFailedSize {
		return "", fmt.Errorf("a record of %d bytes", len(b))
	}
	name := strings.TrimRight(string(b[:JobNameSize]), "\x00")
	return path.Dir(name), fmt.Errorf("%w: %s", ErrJob, linuxError(int32(binary.LittleEndian.Uint32(b[JobNameSize:]))))
}

// linuxError says what a negative error means that starting a program may have.
func linuxError(v int32) string {
	text, ok := map[int32]string{
		-5: "its files cannot be read", -11: "it has too many processes", -12: "it has no memory left", -19: "its kernel has no pseudo-terminals",
		-23: "it has too many open files", -24: "it has too many open files", -28: "it has too many terminals",
	}[v]
	if !ok {
		return fmt.Sprintf("error %d of Linux", -v)
	}
	return text
}

// JobName is the record of CtlJobs for the job of a folder.
func JobName(folder string) []byte {
	b := make([]byte, JobNameSize)
	copy(b, path.Join(folder, JobRun))
	return b
}

// maxJob bounds arguments and environment in bytes: Linux takes a quarter of the stack's limit.
const maxJob = 2 << 20

// Image is the program in the job's folder. dir is the working folder.
func (j *Job) Image(dir string) ([]byte, error) {
	size := 0
	texts := append(append([]string{dir}, j.Args...), j.Env...)
	if j.File != nil {
		texts = append(texts, j.File.Name, j.File.To)
	}
	for _, s := range texts {
		if size += len(s) + 1; strings.ContainsRune(s, 0) {
			return nil, fmt.Errorf("%q contains a zero byte", s)
		}
	}
	switch {
	case len(j.Args) == 0 && j.File == nil:
		return nil, errors.New("no program to run")
	case size > maxJob:
		return nil, fmt.Errorf("arguments and environment of %d bytes: want %d at most", size, maxJob)
	case len(j.Groups) > MaxGroups:
		return nil, fmt.Errorf("%d groups: a program has at most %d", len(j.Groups), MaxGroups)
	case len(JobName(j.Folder)) > JobNameSize:
		return nil, fmt.Errorf("the folder %q has too long a name", j.Folder)
	}
	return j.build(dir), nil
}
