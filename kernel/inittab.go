package kernel

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const (
	autologinPath = "/run/alpinevm/autologin"
	autologin     = "#!/bin/sh\necho \"$(hostname) login: root (automatic login)\"\nstty iutf8 2>/dev/null\nexec login -f root\n"
)

// terminalEntry matches the inittab lines of busybox init and of sysvinit that run something on a terminal.
var terminalEntry = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(tty\S*|hvc\d+|console):[^:]*:[^:]*:|^\s*[^:#]*:[^:]*:respawn:\S*getty\s`)
})

// inittab is the image's inittab with a getty on tty in place of all others. The line is busybox's where the image's own lines are or where
// there are none: "terminal::action:command"; else sysvinit's, "id:runlevels:action:command".
func inittab(image, tty, term string) string {
	var b strings.Builder
	sysv := false
	for line := range strings.Lines(image) {
		line = strings.TrimRight(line, "\n")
		if fields := strings.SplitN(line, ":", 4); len(fields) == 4 && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			if fields[2] == "initdefault" {
				sysv = true
			}
			if terminalEntry().MatchString(line) {
				continue
			}
		}
		b.WriteString(line + "\n")
	}
	id, speed := tty+"::", "0" // busybox's getty leaves the line as it is
	if sysv {
		id, speed = "vm:2345:", "38400" // util-linux' wants a speed; on hvc0 it means nothing
	}
	if term == "" {
		term = "vt100"
	}
	fmt.Fprintf(&b, "%srespawn:/sbin/getty -n -l %s %s %s %s\n", id, autologinPath, speed, tty, term)
	if image == "" {
		b.WriteString("::shutdown:/bin/umount -a -r\n")
	}
	return b.String()
}
