package kernel

// servePause is how long the program waits where the host's files cannot be opened, in milliseconds.
const servePause = 200

// nothingPause is how long programs wait that the host has answered by nothing, in milliseconds: it may do so at once, while the guest ends.
const nothingPause = 20

// serve is the program that starts jobs. It is begun in the guest's root, which becomes its own, and sees the control file system at /ctl.
func serve() []byte {
	c := newCaller()
	folder, fd := c.room(4), c.room(4)
	name := c.room(JobFailedSize)
	status := name + JobNameSize
	jobs, failed, null := arg(c.text(CtlJobs)), arg(c.text(CtlJobsFailed)), arg(c.text("/dev/null"))
	argv := arg(c.strings([]string{"alpinevm-job"}))
	envp := arg(c.strings(nil))
	child, end, loop := c.label(), c.label(), c.label()
	nothing, broken, pause, tell := c.label(), c.label(), c.label(), c.label()

	start := c.here()
	c.score("-1000")
	c.add(callOpen, arg(c.text("/ctl")), openRead|openFolder).fails(end).to = folder
	for _, standard := range []arg{0, 1, 2} {
		c.try(callClose, standard)
		c.try(callOpen, null, openBoth)
	}
	c.add(callChroot, arg(c.text("."))).fails(end)
	c.add(callFchdir, at(folder)).fails(end)
	c.try(callClose, at(folder))
	c.try(callSetsid)
	c.try(callSignal, sigCHLD, sigIgnore) // who has ended is gone

	c.bind(loop)
	c.add(callOpen, jobs, openRead).fails(pause).to = fd
	c.add(callRead, at(fd), arg(name), JobNameSize).fails(broken).zero = nothing
	c.try(callClose, at(fd))
	k := c.add(callFork).fails(tell)
	k.to, k.zero = status, child
	c.jump(loop)

	report := func() {
		c.try(callOpen, failed, openWrite).to = fd
		c.try(callWrite, at(fd), arg(name), JobFailedSize)
		c.try(callClose, at(fd))
	}
	c.bind(tell)
	report()
	c.jump(loop)
	c.bind(child)
	c.try(callExecve, arg(name), argv, envp).to = status
	report()
	c.bind(end)
	c.exit(0)

	c.bind(nothing)
	c.try(callClose, at(fd))
	c.try(callPoll, 0, 0, nothingPause)
	c.jump(loop)
	c.bind(broken)
	c.try(callClose, at(fd))
	c.bind(pause)
	c.try(callPoll, 0, 0, servePause)
	c.jump(loop)
	return c.image(start)
}
