package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What several flags are answered by.
const (
	ownKernel   = "leave it out: the guest has a kernel of its own, and shares nothing with the host but what it is given"
	allRights   = "leave it out: the guest's root may do everything in its machine, and nothing outside"
	oneCPU      = "leave it out: a guest has one processor of its own; nice and the host's cgroups hold it back"
	noSwap      = "leave it out: -m is all the memory that a guest has, and it has no swap of the host's"
	noHealth    = "leave it out: nobody checks machines; alpinevm exec NAME COMMAND can"
	ownLog      = "leave it out: alpinevm logs keeps what a machine prints"
	ownNet      = "leave it out: each guest is 10.0.2.15, and an address of fd61:6c70:696e:6576::/64, in a network of its own; -p leads into it"
	ownDisk     = "use --storage SIZE; the host's cgroups hold back what is read and written"
	noPods      = "leave it out: there are no pods, each machine is alone"
	asRegistry  = "leave it out: registries are asked with docker's credentials and by TLS, but for localhost"
	givenEach   = "leave it out: -f '{{...}}' and --format choose what is shown"
	onlyThose   = "name the machines or images"
	inTerminal  = "alpinevm run --name NAME starts it with this terminal; alpinevm attach NAME follows one that runs"
	inContainer = "leave it out: the new image has the configuration of the old one; run's -e, -w, -u and --entrypoint give another"
)

// foreignFlags are flags of docker's and podman's commands that ours of that name do
// not have, and what to do. "*" is any command.
var foreignFlags = []struct{ commands, flags, hint string }{
	{"run", "cap-drop security-opt seccomp-policy", allRights},
	{"run", "cgroup-conf cgroup-parent cgroupns cgroups hooks-dir ipc isolation pid runtime userns uts umask uidmap gidmap subuidname subgidname hostuser passwd passwd-entry group-entry personality rdt-class sdnotify systemd init-path init-ctr", ownKernel},
	{"run", "c cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpuset-cpus cpuset-mems", oneCPU},
	{"run", "kernel-memory memory-reservation memory-swap memory-swappiness oom-kill-disable oom-score-adj", noSwap},
	{"run", "health-cmd health-interval health-log-destination health-max-log-count health-max-log-size health-on-failure health-retries health-start-interval health-start-period health-startup-cmd health-startup-interval health-startup-retries health-startup-success health-startup-timeout health-timeout no-healthcheck", noHealth},
	{"run", "log-driver log-opt", ownLog},
	{"run", "ip ip6 link-local-ip network-alias no-hosts no-hostname hosts-file", ownNet},
	{"run", "blkio-weight blkio-weight-device device-read-bps device-read-iops device-write-bps device-write-iops io-maxbandwidth io-maxiops storage-opt", ownDisk},
	{"run", "pod pod-id-file requires infra share restart-policy", noPods},
	{"run pull push", "a all-tags authfile cert-dir creds decryption-key disable-content-trust retry retry-delay tls-verify signature-policy", asRegistry},
	{"run", "arch os variant", "use --platform"},
	{"run", "attach", "leave it out: run shows what the guest prints, run -d does not, and alpinevm attach NAME does later"},
	{"run", "chrootdirs image-volume rootfs-propagation shm-size-systemd preserve-fd preserve-fds conmon-pidfile", ownKernel},
	{"run", "detach-keys", "use --escape-key, which is for the machine in this terminal, or run -d and attach --detach-keys"},
	{"run", "device device-cgroup-rule", "the host's devices stay the host's; -v shares folders and files"},
	{"run", "dns-option dns-opt domainname", "write it into the guest's /etc/resolv.conf; --dns and --dns-search are there"},
	{"run", "env-host env-merge http-proxy unsetenv unsetenv-all", "use -e NAME to pass a variable of the host's on, -e NAME= to empty one"},
	{"run", "gpus", "leave it out: a guest has a processor, memory, files and a network, and no more"},
	{"run", "group-add", "use -u USER:GROUP; a user without a group is in all that the image's /etc/group lists"},
	{"run", "label-file annotation", "use --label NAME=VALUE"},
	{"run", "link", "machines do not see each other; -p HOST:GUEST and --host-loopback lead from one to the other by the host"},
	{"run", "pids-limit ulimit", "leave it out: the memory of the guest is its bound; run IMAGE sh -c 'ulimit -n 1024; exec COMMAND' sets one"},
	{"run", "pidfile", "use --cidfile, and alpinevm inspect -f '{{.State.Pid}}' NAME"},
	{"run", "P publish-all", "use -p HOST:GUEST, or -p GUEST for a port that the host chooses"},
	{"run", "replace rmi", "alpinevm rm and rmi remove what there is"},
	{"run", "secret", "use -v FILE:/run/secrets/NAME:ro"},
	{"run", "tz", "use -e TZ=ZONE"},
	{"run", "use-api-socket volume-driver", "leave it out: " + noDaemon},
	{"run", "volumes-from", "give the same -v again; alpinevm inspect -f '{{json .Mounts}}' NAME prints them"},

	{"exec", "preserve-fd preserve-fds", ownKernel},
	{"ps", "s size", "alpinevm ls shows what machines take on the disk"},
	{"ps", "pod p ns sort sync external watch w", givenEach},
	{"images", "f filter tree format sort history", "name a REPOSITORY; alpinevm image inspect prints all that is known of an image"},
	{"logs", "color names no-color l latest", onlyThose},
	{"inspect", "s size l latest", "alpinevm ls and images show sizes"},
	{"stats", "a all", "machines that do not run take nothing of the host; alpinevm ls lists them"},
	{"stats", "i interval no-reset", "use --no-stream in a loop"},
	{"cp", "L follow-link", "name the file that the link leads to"},
	{"cp", "overwrite pause", "leave it out: what is there is replaced, and the machine goes on"},
	{"start", "a attach i interactive detach-keys sig-proxy", inTerminal},
	{"start", "checkpoint checkpoint-dir", "alpinevm run --from FILE goes on from a snapshot"},
	{"start stop restart pause unpause kill rm wait", "all cidfile filter latest ignore depend running", "name the machines; $(alpinevm ps -q) and $(alpinevm ls -q) are all of them"},
	{"rm", "l link", "leave it out: machines have no links"},
	{"rm restart", "t time", "alpinevm stop -t SECONDS first"},
	{"wait", "condition i interval return-on-first", "leave it out: it waits for the end"},
	{"commit import", "c change", inContainer},
	{"commit", "f format include-volumes iidfile s squash quiet q", "leave it out: the new image has one layer, and its ID is printed"},
	{"import", "m message os arch variant platform signature-policy", inContainer},
	{"save load export", "platform compress format multi-image-archive", "leave it out: an image is for one platform, linux/386"},
	{"prune volume-prune image-prune system-prune", "filter", onlyThose},
	{"volume-create", "d driver label o opt", "leave it out: a volume is a folder of the host; run -v HOST:GUEST shares another one"},
	{"volume-ls", "f filter", givenEach},
	{"system-df", "v verbose format", "alpinevm images, ls and volume ls show each"},
	{"restart", "s signal", "run --stop-signal says what a machine is asked by"},
	{"push", "platform", "leave it out: an image is for one platform, linux/386"},
	{"rmi", "a all", "alpinevm image prune -a removes all that no machine is made from"},
	{"version", "format f", "leave it out: alpinevm --version prints one line"},

	{"*", "H host c context D debug config l log-level tls tlscacert tlscert tlskey tlsverify connection url remote identity module storage-driver root runroot ssh", noDaemon},
	{"*", "latest", onlyThose},
}

// foreignFlag is what to do in place of a flag of others that c does not have.
func foreignFlag(c *cobra.Command, name string) (hint string, ok bool) {
	path := strings.ReplaceAll(strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "), " ", "-")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "container-"), "machine-")
	for _, f := range foreignFlags {
		commands := strings.Fields(f.commands)
		if (f.commands == "*" || slices.Contains(commands, path) || slices.Contains(commands, c.Name())) && slices.Contains(strings.Fields(f.flags), name) {
			return f.hint, true
		}
	}
	return "", false
}

// foreignNames are the flags of others that have an answer at c, without those of one
// letter.
func foreignNames(c *cobra.Command) []string {
	var names []string
	for _, f := range foreignFlags {
		if slices.Contains(strings.Fields(f.commands), c.Name()) {
			names = append(names, slices.DeleteFunc(strings.Fields(f.flags), func(n string) bool { return len(n) == 1 })...)
		}
	}
	slices.Sort(names)
	return names
}

// accepted adds flags of docker's that say what is always so. They have no line in
// the help; "x,extra" has a letter too.
func accepted(fl *pflag.FlagSet, flags ...string) {
	for _, f := range flags {
		letter, name, both := strings.Cut(f, ",")
		if !both {
			letter, name = "", f
		}
		fl.BoolP(name, letter, false, "always so; for docker's users")
		fl.MarkHidden(name)
	}
}
