package kernel

import (
	"fmt"
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

// enter is the program that becomes the session's, in the folder dir of the root that is its working folder.
func (p *Program) enter(dir string) []byte {
	c := newCaller()
	noRoot := c.end(exitNoSession, "the guest's root cannot be entered")
	become := p.become(c, dir)
	first := c.here()
	c.add(callChroot, arg(c.text("."))).fails(noRoot)
	c.jump(become)
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
// been found that cannot be executed, which is the reason then, unless another one can.
func (p *Program) execs(c *caller) label {
	name := p.Args[0]
	places := p.places()
	notFound := c.end(exitNotFound, "%q is not there: %s", name, p.searched())
	denied := c.end(exitCannotExec, "%q cannot be executed: look at its mode, its owner and the size of its arguments", name)
	format := c.end(exitCannotExec, "%q is no 32-bit x86 program, nor a script that begins with #!", name)
	interpreter := c.end(exitNotFound, "%q needs an interpreter or a loader that is not there", name)

	argv, envp := arg(c.strings(p.Args)), arg(c.strings(p.Env))
	first := c.here()
	again := make([]label, len(places)+1) // behind the places, the second time
	for i := range again {
		again[i] = c.label()
	}
	for second, last := range []label{notFound, denied} {
		for i, place := range places {
			file, next := arg(c.text(place)), c.label()
			if second == 1 {
				c.bind(again[i])
			}
			exec := c.add(callExecve, file, argv, envp)
			exec.absent, exec.format, exec.other = exec.next, format, again[i+1]
			found := c.add(callAccess, file, 0).fails(next) // it is there: what it names is not
			found.next, found.zero = interpreter, interpreter
			c.bind(next)
		}
		if second == 1 {
			c.bind(again[len(places)])
		}
		c.jump(last)
	}
	return first
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

// searched says where the program was looked for.
func (p *Program) searched() string {
	if folders := p.folders(); folders != nil {
		return fmt.Sprintf("no folder of PATH (%q) has it", strings.Join(folders, ":"))
	}
	return "there is no such file in the guest"
}
