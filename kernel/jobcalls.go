package kernel

import (
	"encoding/binary"
	"path"
)

// Linux's numbers (include/uapi/asm-generic: fcntl.h, ioctls.h, poll.h, signal.h).
const (
	openRead     = 0
	openWrite    = 1
	openBoth     = 2
	openFolder   = 0o200000
	openTerminal = openBoth | 0o400 | closeOnExec // O_NOCTTY
	closeOnExec  = 0o2000000
	tcSets       = 0x5402
	tiocSCTTY    = 0x540e
	tiocSWinSz   = 0x5414
	tiocGPtPeer  = 0x5441     // Linux 4.13
	tiocSPtLck   = 0x40045431 // of 32 bits
	pollIn       = 1
	sigHUP       = 1
	sigINT       = 2
	sigQUIT      = 3
	sigKILL      = 9
	sigTERM      = 15
	sigCHLD      = 17
	sigDefault   = 0
	sigIgnore    = 1
	noOwner      = 1<<32 - 1
	forEver      = 1<<32 - 1
)

// pumpSize is how much of a stream is carried at once, in bytes: what a pipe holds.
const pumpSize = 64 << 10

// deafSignals are what the processes that carry streams do not heed: the program answers them, and its end is theirs.
var deafSignals = []arg{sigHUP, sigINT, sigQUIT, sigTERM}

// oomScore is the file that says how readily Linux ends a process where there is no memory (proc(5)).
const oomScore = "/proc/self/oom_score_adj"

// terminalModes are those that Linux gives a new terminal, and that a rubbed-out letter of UTF-8 goes as a whole: struct termios of
// include/uapi/asm-generic/termbits.h.
func terminalModes() []byte {
	b := make([]byte, 36)
	for i, flags := range []uint32{
		0x4500, // c_iflag: ICRNL, IXON, IUTF8
		0x5,    // c_oflag: OPOST, ONLCR
		0xbf,   // c_cflag: B38400, CS8, CREAD
		0x8a3b, // c_lflag: ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHOCTL, ECHOKE, IEXTEN
	} {
		binary.LittleEndian.PutUint32(b[4*i:], flags)
	}
	copy(b[17:], "\x03\x1c\x7f\x15\x04\x00\x01\x00\x11\x13\x1a\x00\x12\x0f\x17\x16") // c_cc: INIT_C_CC
	return b
}

// A pipe's ends, in two cells.
type pipe struct{ r, w uint32 }

// jobCalls makes a job's program: it starts the program, and a process for each stream.
type jobCalls struct {
	*caller
	j              *Job
	in, out, err   pipe
	done           pipe // is closed when the program has ended
	terminal, peer uint32
	pid            uint32
	end            uint32   // JobEnd, which is open as long as the program is looked after
	later          []func() // add what lies beside the way
}

// build makes the program.
func (j *Job) build(dir string) []byte {
	c := &jobCalls{caller: newCaller(), j: j}
	c.end = c.room(4)
	for _, p := range []*pipe{&c.in, &c.out, &c.err, &c.done} {
		p.r = c.room(8)
		p.w = p.r + 4
	}
	child := c.label()
	c.later = append(c.later, func() { c.bind(child); c.become(dir) })
	start := c.here()
	c.try(callOpen, c.file(JobEnd), openWrite|closeOnExec).to = c.end
	c.try(callSignal, sigCHLD, sigDefault)
	for _, s := range deafSignals {
		c.try(callSignal, s, sigIgnore)
	}
	if j.TTY {
		c.openTerminal()
	} else {
		c.openPipes()
	}
	c.pipe(&c.done)
	c.pid = c.fork(child, false)
	c.attend()
	for len(c.later) > 0 {
		f := c.later[0]
		c.later = c.later[1:]
		f()
	}
	return c.image(start)
}

func (c *jobCalls) file(name string) arg { return arg(c.text(path.Join(c.j.Folder, name))) }

// fails has the call k, of which the job's end tells an error, where the program is running after having been killed. It gives the cell
// for what k returns.
func (c *jobCalls) fails(k *call, kind uint32, running bool) uint32 {
	record := c.words(kind, 0)
	l := c.label()
	k.fails(l).to = record + 4
	c.later = append(c.later, func() {
		c.bind(l)
		if running {
			c.try(callKill, at(c.pid), sigKILL)
		}
		c.report(record)
	})
	return record + 4
}

// report writes the record of how it ended, and ends.
func (c *jobCalls) report(record uint32) {
	c.try(callWrite, at(c.end), arg(record), JobEndSize)
	c.exit(0)
}

// fork starts a process at l and gives the cell with its number.
func (c *jobCalls) fork(l label, running bool) uint32 {
	k := c.add(callFork)
	k.zero = l
	return c.fails(k, endProcess, running)
}

func (c *jobCalls) pipe(p *pipe) { c.fails(c.add(callPipe2, arg(p.r), closeOnExec), endProcess, false) }

func (c *jobCalls) close(cells ...uint32) {
	for _, cell := range cells {
		c.try(callClose, at(cell))
	}
}

// openTerminal makes the terminal, which belongs to the program's user.
func (c *jobCalls) openTerminal() {
	k := c.add(callOpen, arg(c.text("/dev/ptmx")), openTerminal)
	c.terminal = c.fails(k, endTerminal, false)
	c.fails(c.add(callIoctl, at(c.terminal), tiocSPtLck, arg(c.words(0))), endTerminal, false)
	k = c.add(callIoctl, at(c.terminal), tiocGPtPeer, openTerminal)
	c.peer = c.fails(k, endTerminal, false)
	c.try(callIoctl, at(c.peer), tcSets, arg(c.place(terminalModes())))
	c.try(callIoctl, at(c.terminal), tiocSWinSz, arg(c.place(windowSize(c.j.Cols, c.j.Rows))))
	c.try(callFchown, at(c.peer), arg(c.j.UID), noOwner)
}

func (c *jobCalls) openPipes() {
	if c.j.Stdin {
		c.pipe(&c.in)
	}
	c.pipe(&c.out)
	if !c.j.Merged {
		c.pipe(&c.err)
	}
}

// become adds the calls of the process that becomes the program.
func (c *jobCalls) become(dir string) {
	c.try(callSetsid)
	if c.j.TTY {
		c.try(callIoctl, at(c.peer), tiocSCTTY, 0)
	}
	for _, f := range c.standardFiles() {
		c.try(callDup2, at(f.cell), f.fd)
	}
	for _, s := range deafSignals {
		c.try(callSignal, s, sigDefault)
	}
	c.score("0")
	become := c.label()
	c.jump(become)
	if c.j.File != nil {
		first := c.j.File.calls(c.caller)
		c.bind(become)
		c.close(c.opened()...) // no execve does
		c.jump(first)
		return
	}
	l := c.j.Program.become(c.caller, dir)
	c.bind(become)
	c.jump(l)
}

// opened are the cells of what is open besides the standard files.
func (c *jobCalls) opened() []uint32 {
	list := []uint32{c.end, c.done.r, c.done.w, c.out.r, c.out.w}
	if !c.j.Merged {
		list = append(list, c.err.r, c.err.w)
	}
	if c.j.Stdin {
		list = append(list, c.in.r, c.in.w)
	}
	return list
}

// A standardFile is what the program has in place of /dev/null.
type standardFile struct {
	cell uint32
	fd   arg
}

func (c *jobCalls) standardFiles() []standardFile {
	if c.j.TTY {
		return []standardFile{{c.peer, 0}, {c.peer, 1}, {c.peer, 2}}
	}
	list := []standardFile{{c.out.w, 1}, {c.err.w, 2}}
	if c.j.Merged {
		list[1].cell = c.out.w
	}
	if c.j.Stdin {
		list = append(list, standardFile{c.in.r, 0})
	}
	return list
}

// attend starts the processes of the streams, waits for the program's end, and tells it when all has arrived.
func (c *jobCalls) attend() {
	var output, input []uint32 // the numbers of those processes
	from, into := c.out.r, c.in.w
	if c.j.TTY {
		c.close(c.peer)
		from, into = c.terminal, c.terminal
	} else {
		c.close(c.in.r, c.out.w, c.err.w)
	}
	// Each process has the ends of pipes alone that are its own: the others' are to be closed when these are.
	output = append(output, c.fork(c.output(from, CtlStdout, c.in.w, c.err.r), true))
	c.close(c.out.r)
	if !c.j.TTY && !c.j.Merged {
		output = append(output, c.fork(c.output(c.err.r, CtlStderr, c.in.w), true))
	}
	c.close(c.err.r)
	if c.j.Stdin {
		input = append(input, c.fork(c.input(into), true))
	}
	c.close(c.in.w)
	input = append(input, c.fork(c.control(), true))
	c.close(c.done.r)

	end := c.words(endStatus, 0)
	c.try(callWait4, at(c.pid), arg(end+4), 0)
	c.close(c.done.w)
	for _, pid := range output {
		c.try(callWait4, at(pid), 0, 0)
	}
	for _, pid := range input {
		c.try(callKill, at(pid), sigKILL)
	}
	c.report(end)
}

// output adds a process that carries what the program writes to a file, and ends at its end, or when the program has ended and nothing is
// left: what the program has started may hold the pipe open.
func (c *jobCalls) output(from uint32, name string, others ...uint32) label {
	start := c.label()
	c.later = append(c.later, func() {
		polled, buffer, n, fd := c.words(0, pollIn, 0, pollIn), c.room(pumpSize), c.room(4), c.room(4)
		c.bind(start)
		c.close(append(others, c.end, c.done.w)...)
		c.try(callDup, at(from)).to = polled
		c.try(callDup, at(c.done.r)).to = polled + 8
		c.try(callOpen, c.file(name), openWrite).to = fd
		end, loop := c.label(), c.here()
		c.try(callPoll, arg(polled), 2, forEver)
		c.add(callPoll, arg(polled), 1, 0).fails(end).zero = end
		k := c.add(callRead, at(polled), arg(buffer), pumpSize).fails(end)
		k.to, k.zero = n, end
		c.add(callWrite, at(fd), arg(buffer), at(n)).fails(end).next = loop
		c.bind(end)
		c.exit(0)
	})
	return start
}

// input adds a process that carries the input to the program.
func (c *jobCalls) input(into uint32) label {
	start := c.label()
	c.later = append(c.later, func() {
		next, chunk := c.room(4), c.room(4)
		line, buffer, n := c.room(CtlNextSize), c.room(pumpSize), c.room(4)
		c.bind(start)
		c.close(c.end, c.done.r, c.done.w)
		end, again, loop := c.label(), c.label(), c.here()
		c.add(callOpen, c.file(CtlStdinNext), openRead).fails(end).to = next
		c.add(callRead, at(next), arg(line), CtlNextSize).fails(end).zero = again
		c.close(next)
		c.add(callOpen, c.file(CtlStdin), openRead).fails(end).to = chunk
		read := func(zero label) {
			k := c.add(callRead, at(chunk), arg(buffer), pumpSize).fails(end)
			k.to, k.zero = n, zero
			c.add(callWrite, at(into), arg(buffer), at(n)).fails(end)
		}
		over := c.label()
		read(end)
		more := c.here()
		read(over)
		c.jump(more)
		c.bind(over)
		c.close(chunk)
		c.jump(loop)
		c.bind(again) // no answer yet
		c.close(next)
		c.try(callPoll, 0, 0, nothingPause)
		c.jump(loop)
		c.bind(end)
		c.exit(0)
	})
	return start
}

// control adds a process that sends the program signals, and its terminal sizes.
func (c *jobCalls) control() label {
	start := c.label()
	c.later = append(c.later, func() {
		fd, record := c.room(4), c.room(JobControlSize)
		c.bind(start)
		c.close(c.end, c.done.r, c.done.w)
		end, nothing, loop := c.label(), c.label(), c.here()
		c.add(callOpen, c.file(JobControl), openRead).fails(end).to = fd
		c.add(callRead, at(fd), arg(record), JobControlSize).fails(end).zero = nothing
		if c.j.TTY {
			c.try(callIoctl, at(c.terminal), tiocSWinSz, arg(record+8))
		}
		c.try(callKill, minus(c.pid), at(record+4)) // it leads its group; its end may be this process's
		c.try(callKill, at(c.pid), at(record))
		c.close(fd)
		c.jump(loop)
		c.bind(nothing)
		c.close(fd)
		c.try(callPoll, 0, 0, nothingPause)
		c.jump(loop)
		c.bind(end)
		c.exit(0)
	})
	return start
}

// score sets the process's oomScore.
func (c *caller) score(n string) {
	fd := c.room(4)
	c.try(callOpen, arg(c.text(oomScore)), openWrite).to = fd
	c.try(callWrite, at(fd), arg(c.text(n)), arg(len(n)))
	c.try(callClose, at(fd))
}
