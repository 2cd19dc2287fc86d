package kernel

import (
	"path"
	"strings"
)

// A script cannot become the session's program: the shell and the applets of the initramfs know no supplementary groups, and take a name
// without a slash for one of their own before they look along PATH. So a list of system calls does.

// Exit codes where there is no program, as docker has them.
const (
	exitNoSession  = 125
	exitCannotExec = 126
	exitNotFound   = 127
)

// enter is the program that becomes the session's, in the folder dir of the root that is its working folder. come adds the calls that bring it
// into the root.
func (p *Program) enter(dir string, come func(c *caller, noRoot label)) []byte {
	c := newCaller()
	c.told = c.room(4)
	noRoot := c.end(exitNoSession, "the guest's root cannot be entered")
	become := p.become(c, dir)
	first := c.here()
	c.try(callOpen, arg(c.text("/ctl/"+CtlEntered)), openWrite|closeOnExec).to = c.told
	come(c, noRoot)
	c.jump(become)
	return c.image(first)
}

// idle is the program of a session that has none: it waits until it is ended.
func idle() []byte {
	c := newCaller()
	noRoot := c.end(exitNoSession, "the guest's root cannot be entered")
	first := c.here()
	c.enters(noRoot)
	wait := c.here()
	c.try(callPoll, 0, 0, forEver)
	c.jump(wait)
	return c.image(first)
}

// become adds the calls that make a process that has the guest's root the program, in the folder dir, and gives the first.
func (p *Program) become(c *caller, dir string) label {
	noDir := c.end(exitNoSession, "the working folder %q cannot be entered", dir)
	noUser := c.end(exitNoSession, "the user %d, group %d and its groups cannot be taken", p.UID, p.GID)
	execs := p.execs(c)

	first := c.here()
	c.add(callChdir, arg(c.text(dir))).fails(noDir)
	if p.UID != 0 || p.GID != 0 || len(p.Groups) > 0 {
		c.add(callSetgroups, arg(len(p.Groups)), arg(c.words(p.Groups...))).fails(noUser)
		c.add(callSetGID, arg(p.GID)).fails(noUser)
		c.add(callSetUID, arg(p.UID)).fails(noUser)
	}
	c.jump(execs)
	return first
}

// execs adds the calls that look for the program as execvp(3) does, and gives the first. They are there twice: the second time a file has
// been found that cannot be executed, which is the reason then, unless another one can. What is said where there is none is what docker says.
func (p *Program) execs(c *caller) label {
	places, searched := p.places(), p.folders() != nil
	no := p.refusals(c)
	argv, envp := arg(c.strings(p.Args)), arg(c.strings(p.Env))
	first := c.here()
	again := make([]label, len(places)+1) // behind the places, the second time
	for i := range again {
		again[i] = c.label()
	}
	for second, last := range []label{no.file, no.permission} {
		for i, place := range places {
			file, next, broken := arg(c.text(place)), c.label(), c.label()
			if second == 1 {
				c.bind(again[i])
			}
			exec := c.add(callExecve, file, argv, envp)
			exec.absent, exec.format, exec.other = exec.next, no.format, broken
			found := c.add(callAccess, file, 0).fails(next) // it is there: what it names is not
			found.next, found.zero = no.interpreter, no.interpreter
			c.bind(broken)
			folder := c.try(callAccess, arg(c.text(place+"/.")), 0)
			if folder.next, folder.zero = next, next; !searched {
				folder.next, folder.zero = no.folder, no.folder
			}
			may := c.add(callAccess, file, mayExecute).fails(again[i+1])
			may.next, may.zero = no.room, no.room
			c.bind(next)
		}
		if second == 1 {
			c.bind(again[len(places)])
		}
		c.jump(last)
	}
	return first
}

// mayExecute is X_OK of access(2).
const mayExecute = 1

// refusals are the ends of a process that cannot become the program.
type refusals struct{ file, permission, folder, room, format, interpreter label }

func (p *Program) refusals(c *caller) refusals {
	missing := "no such file or directory"
	if p.folders() != nil {
		missing = "executable file not found in $PATH"
	}
	refuse := func(code uint32, why string) label { return c.end(code, "exec: %q: %s", p.Args[0], why) }
	return refusals{
		file: refuse(exitNotFound, missing), permission: refuse(exitCannotExec, "permission denied"), folder: refuse(exitCannotExec, "is a directory"),
		room:        refuse(exitCannotExec, "argument list too long, or too little memory"),
		format:      refuse(exitCannotExec, "exec format error: it is no 32-bit x86 program, nor a script that begins with #!"),
		interpreter: refuse(exitNotFound, "no such file or directory: the interpreter or loader that it names is missing"),
	}
}

// Bounds of the search for a program: PATH_MAX of Linux, and folders of PATH.
const (
	maxPath    = 4096
	maxFolders = 256
)

// folders are those that are searched for the program; none where it is named with one.
func (p *Program) folders() []string {
	if strings.Contains(p.Args[0], "/") {
		return nil
	}
	list := "/usr/local/bin:/bin:/usr/bin"
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	all := strings.SplitN(list, ":", maxFolders+1)
	return all[:min(len(all), maxFolders)]
}

// places are the files that the program may be.
func (p *Program) places() []string {
	folders := p.folders()
	if folders == nil {
		return []string{p.Args[0]}
	}
	var list []string
	for _, f := range folders {
		if f == "" {
			f = "." // POSIX.1-2017, 8.3
		}
		if at := path.Join(f, p.Args[0]); len(at) < maxPath && p.Args[0] != "" {
			list = append(list, at)
		}
	}
	return list
}
