package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Verbs of requests.
const (
	Info    = "info"    // Reply: *Machine
	Exec    = "exec"    // a stream, after a Reply with the job's ID
	Attach  = "attach"  // a stream of what the machine's own program prints
	Signal  = "signal"  // to Job, or to the machine's own program
	Resize  = "resize"  // the terminal of Job, or the machine's
	Stop    = "stop"    // in an orderly way, by Signal, within Grace; Exit
	Wait    = "wait"    // Exit
	Pause   = "pause"   // the guest executes nothing
	Unpause = "unpause" // until then
	Stat    = "stat"    // Reply: what is at Path
	Read    = "read"    // a stream: a tar archive of Path
	Diff    = "diff"    // a stream: what has become of the root's files, a letter and a name each, ended by a NUL
	Write   = "write"   // a tar archive by stdin, into the folder Path
	Save    = "save"    // a snapshot: see Saved
	Rename  = "rename"  // to To: a Reply when the machine stands still; then the client moves its files and says so by stdin; Reply
)

// Request is what a client wants.
type Request struct {
	Version int
	Verb    string

	Command *Command       `json:",omitempty"` // Exec
	Job     uint64         `json:",omitempty"`
	Signal  int            `json:",omitempty"` // its number in Linux; 0: none
	Cols    uint16         `json:",omitempty"`
	Rows    uint16         `json:",omitempty"`
	Grace   *time.Duration `json:",omitempty"`
	Stdin   bool           `json:",omitempty"` // Attach: the client has input
	Path    string         `json:",omitempty"` // in the guest
	To      string         `json:",omitempty"` // Rename
	Owners  bool           `json:",omitempty"` // Write: those of the archive, not root
	Packed  bool           `json:",omitempty"` // Save
	Apart   bool           `json:",omitempty"` // Save: without what is kept on the disk
}

// Command is a program to run.
type Command struct {
	Args, Env  []string
	Dir, User  string
	TTY, Stdin bool
	Detach     bool // nobody waits for it
	Cols, Rows uint16
	Term       string
}

// Reply is the answer to a request that has one.
type Reply struct {
	Job     uint64    `json:",omitempty"`
	Machine *Machine  `json:",omitempty"`
	Stat    *FileStat `json:",omitempty"`
	Saved   *Saved    `json:",omitempty"`
}

// Saved is the answer to Save, behind the file's bytes as KindStdout. Those of a raw
// file are pieces, each 8 bytes of its place in the file, the highest first, and
// what is there; nothing but its place is the file's end.
type Saved struct {
	Stood  time.Duration // how long the machine was stopped
	Folder string        // of what is kept apart, as long as the connection; "" for none
	Run    *Invocation   // how the machine was run
	Image  string        // the ID of the image that it is made from; "" for none
}

// Invocation is a command line of ours.
type Invocation struct {
	Dir  string // the working folder
	Args []string
}

// FileStat is what is at a name in a guest.
type FileStat struct{ Exists, Dir bool }

// Machine is what a machine's process tells of it.
type Machine struct {
	Name    string
	Image   string   // what people call what it is made from
	Command []string // what runs in it; empty: the image's init
	Kept    bool     // it stays after its end
	Started time.Time
	Created *time.Time `json:",omitempty"` // nil: when it was started
	PID     int        // of the process, on the host
	Up      bool
	Paused  bool
	TTY     bool
	Stdin   bool // it has input from whoever is attached
	Memory  int64
	Ports   []Port
	Volumes []Volume
	Labels  map[string]string `json:",omitempty"`
	Root    string            // "" where there is no session
	Log     string            // its files, without ".0" and ".1"; "" where there is none

	Instructions uint64
	Busy         time.Duration // the guest's, so far
	Resident     int64         // bytes of the process
	Jobs         int           // commands that run beside its own
	NetIn        uint64        // bytes to the guest
	NetOut       uint64
}

// Port is one of the host's that leads into the guest.
type Port struct {
	Host  string // address and port
	Guest uint16
	Proto string
}

// Volume is a folder or file of the host that the guest has.
type Volume struct {
	Host, Guest string
	ReadOnly    bool
}

// Exit is how a stream has ended: with an exit code, or an error where there is
// none.
type Exit struct {
	Code  int
	Error string `json:",omitempty"`
}

// ParseRequest reads a request.
func ParseRequest(p []byte) (*Request, error) {
	r := &Request{}
	if err := json.Unmarshal(p, r); err != nil {
		return nil, errors.New("the request is none")
	}
	if r.Version != Version {
		return nil, fmt.Errorf("this machine was started by another version of alpinevm, which speaks version %d of the protocol, not %d; stop it by kill, or use that version", Version, r.Version)
	}
	return r, nil
}
