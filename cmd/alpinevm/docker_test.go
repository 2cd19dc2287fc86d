package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// dockersCommands are the commands of docker's command line, and podman's that docker
// has not.
const dockersCommands = `attach build builder buildx checkpoint commit compose config container context cp create diff events exec export help history image
	images import info inspect kill load login logout logs manifest network node pause plugin port ps pull push rename restart rm rmi run save search secret
	service stack start stats stop swarm system tag top trust unpause update version volume wait
	artifact auto-update farm generate healthcheck init kube machine mount pod quadlet umount unmount`

// dockersGroups are the commands below others.
var dockersGroups = map[string]string{
	"container": "attach commit cp diff exec export inspect kill logs ls pause port prune rename restart rm run start stats stop top unpause wait",
	"image":     "history import inspect load ls prune pull push rm save tag",
	"system":    "df info prune",
	"volume":    "create inspect ls prune rm",
}

// dockersFlags are the flags of docker's commands (docker 27) and, behind a bar,
// those of podman 5 that docker has not. One letter is a short one.
var dockersFlags = map[string]string{
	"run": `add-host annotation a attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota
		cpu-rt-period cpu-rt-runtime c cpu-shares cpus cpuset-cpus cpuset-mems d detach detach-keys device device-cgroup-rule device-read-bps device-read-iops
		device-write-bps device-write-iops disable-content-trust dns dns-opt dns-option dns-search domainname entrypoint e env env-file expose gpus group-add
		health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help h hostname init i interactive io-maxbandwidth
		io-maxiops ip ip6 ipc isolation kernel-memory l label label-file link link-local-ip log-driver log-opt mac-address m memory memory-reservation memory-swap
		memory-swappiness mount name net network network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged p publish P
		publish-all pull q quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs t tty ulimit
		use-api-socket u user userns uts v volume volume-driver volumes-from w workdir
		arch authfile cert-dir cgroup-conf cgroups chrootdirs conmon-pidfile creds decryption-key env-host env-merge gidmap group-entry health-on-failure
		hooks-dir hostuser http-proxy image-volume init-path no-hosts no-hostname os passwd passwd-entry personality pidfile pod preserve-fds rdt-class replace
		requires retry rmi rootfs sdnotify seccomp-policy secret shm-size-systemd subgidname subuidname systemd timeout tls-verify tz uidmap umask unsetenv
		unsetenv-all variant`,
	"exec":        "d detach detach-keys e env env-file i interactive privileged t tty u user w workdir preserve-fds",
	"ps":          "a all f filter format n last l latest no-trunc q quiet s size external pod sort",
	"images":      "a all digests f filter format no-trunc q quiet tree sort",
	"logs":        "details f follow since n tail t timestamps until",
	"inspect":     "f format s size type",
	"stats":       "a all format no-stream no-trunc interval",
	"cp":          "a archive L follow-link q quiet",
	"start":       "a attach checkpoint checkpoint-dir detach-keys i interactive all",
	"stop":        "s signal t time timeout all",
	"restart":     "s signal t time timeout",
	"kill":        "s signal all",
	"rm":          "f force l link v volumes all time",
	"rmi":         "f force no-prune all",
	"wait":        "condition",
	"attach":      "detach-keys no-stdin sig-proxy",
	"commit":      "a author c change m message p pause squash",
	"export":      "o output",
	"import":      "c change m message platform",
	"save":        "o output platform",
	"load":        "i input q quiet platform",
	"pull":        "a all-tags disable-content-trust platform q quiet tls-verify creds",
	"push":        "a all-tags disable-content-trust q quiet platform",
	"version":     "f format",
	"history":     "no-trunc q quiet",
	"image prune": "a all f force filter", "volume prune": "a all f force filter", "system prune": "a all f force filter volumes", "prune": "f force filter",
	"volume ls": "q quiet format f filter", "volume rm": "f force", "volume inspect": "f format", "image inspect": "f format", "system df": "v verbose format",
	"volume create": "d driver label o opt",
	"":              "config c context D debug H host l log-level tls tlscacert tlscert tlskey tlsverify v version",
}

// TestDockersWords: each command and each flag of docker's is one of ours, or is
// answered in one line.
func TestDockersWords(t *testing.T) {
	root := newCommand()
	find := func(path string) *cobra.Command {
		c, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 {
			return nil
		}
		return c
	}
	for _, word := range strings.Fields(dockersCommands) {
		if c := find(word); word != "help" && words[word] == "" && (c == nil || !c.HasParent()) {
			t.Errorf("docker's %s is neither a command nor answered", word)
		}
	}
	for name, below := range dockersGroups {
		for _, word := range strings.Fields(below) {
			if find(name+" "+word) == nil {
				t.Errorf("there is no %s %s", name, word)
			}
		}
	}
	count := 0
	for path, flags := range dockersFlags {
		c := find(path)
		if c == nil {
			t.Errorf("there is no command %s", path)
			continue
		}
		c.InitDefaultVersionFlag()
		for _, name := range strings.Fields(flags) {
			count++
			if c.Flags().Lookup(name) != nil || len(name) == 1 && c.Flags().ShorthandLookup(name) != nil {
				continue
			}
			hyphens := "--"
			if len(name) == 1 {
				hyphens = "-"
			}
			_, err := answer(append(strings.Fields(path), hyphens+name)...)
			hint, ok := foreignFlag(c, name)
			if !ok || err == nil || !strings.HasSuffix(err.Error(), "; "+hint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("alpinevm %s %s%s: %v", path, hyphens, name, err)
			}
		}
	}
	if count < 350 {
		t.Errorf("only %d flags", count)
	}
}

// TestForeignFlags: no flag that is answered is one of ours.
func TestForeignFlags(t *testing.T) {
	root := newCommand()
	for _, f := range foreignFlags {
		for _, path := range strings.Fields(f.commands) {
			c, _, err := root.Find(strings.Split(path, "-"))
			if path == "*" {
				continue
			}
			if err != nil || c == root {
				t.Errorf("there is no command %s", path)
				continue
			}
			if f.hint == "" {
				t.Errorf("%s: no answer", f.flags)
			}
		}
	}
}

// TestAccepted: what is always so may be said.
func TestAccepted(t *testing.T) {
	for _, line := range []string{
		"run --privileged --cap-add ALL --expose 80 --init -it --rm --sig-proxy --restart no --net bridge", "exec --privileged -it", "images -a", "rm -v", "commit -p", "load -q", "logs --details",
		"stats --no-trunc", "rmi --no-prune", "stop --timeout 5", "restart --timeout 5", "run -h web",
	} {
		args := strings.Fields(line)
		c, _, err := newCommand().Find(args[:1])
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ParseFlags(args[1:]); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if out, err := answer("run", "-h"); codeOfError(err) != 0 || !strings.Contains(out, "Usage:") {
		t.Errorf("run -h: %q, %v", out, err)
	}
}
