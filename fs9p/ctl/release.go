package ctl

import "strings"

// A process that reads what the host has yet to say is not always ended by SIGKILL:
// where that comes between the system call and the request, v9fs sees no signal any
// more (p9_client_rpc takes TIF_SIGPENDING away), another SIGKILL is none while the
// first is pending, and only an answer lets the process go. So whoever ends processes
// has the host let them go.

// waiter is a file whose reads wait for the host.
type waiter interface {
	// release answers reads that wait by nothing; while it is on, those that would
	// wait are answered so too.
	release(on bool)
	letsGo() bool // it is on
}

// Release has reads that wait for the host be answered by nothing, or, where on is
// false, wait again. name is a file, or a folder with all that is in it.
func (fs *FS) Release(name string, on bool) {
	for _, p := range fs.parts {
		if w, ok := p.file.(waiter); ok && (p.name == name || strings.HasPrefix(p.name, name+"/")) {
			w.release(on)
		}
	}
}
