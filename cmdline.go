package alpinevm

import (
	"slices"
	"strings"
)

// DefaultCmdline is the kernel's command line unless Boot.Cmdline is another.
// It leaves out of a kernel what only costs time in an emulator:
// self-tests, probing for hardware that is not there, mitigations of faults
// that this processor does not have, clearing of memory on each allocation,
// timer interrupts between ticks, and three initcalls that look up every function's
// name for tracers, or check certificates. RATIONALE.md says what each one gains.
const DefaultCmdline = "console=ttyS0 quiet mitigations=off init_on_alloc=0 highres=off tsc=reliable " +
	"cryptomgr.notests noisapnp 8250.nr_uarts=2 kfence.sample_interval=0 nowatchdog panic=-1 " +
	"initcall_blacklist=ftrace_check_for_weak_functions,trace_eval_init,load_system_certificate_list"

// leastFirst are the words of DefaultCmdline that a kernel with little room for
// its command line goes without, by their beginnings: what is for newer kernels
// than those first, what anybody would notice last. Kernels below boot protocol
// 2.06 have room for 255 bytes.
var leastFirst = []string{
	"initcall_blacklist=", "kfence.", "cryptomgr.", "init_on_alloc=", "mitigations=", "nowatchdog", "noisapnp", "highres=", "8250.",
	"tsc=", "quiet", "panic=", "console=",
}

// defaultCmdline is as much of DefaultCmdline as fits into room bytes in front
// of what is added.
func defaultCmdline(added string, room int) string {
	words := strings.Fields(DefaultCmdline)
	for _, least := range leastFirst {
		if len(joined(words, added)) <= room {
			break
		}
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, least) })
	}
	return joined(words, added)
}

// joined is a command line of words and of what is added.
func joined(words []string, added string) string {
	return strings.TrimSpace(strings.Join(words, " ") + " " + added)
}
