package bench

import (
	"os/exec"
	"syscall"
)

// ownChild makes c end with us, however we end, and not by a Ctrl-C that is for
// us.
func ownChild(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
