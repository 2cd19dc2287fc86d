package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// stubs stand for Debian's tools. apt-get fails its first $UPDATE_FAILS updates and
// $DOWNLOAD_FAILS downloads; packages are known after an update, whatever came of it, if
// $KNOWN is "after", or already if it is "before".
var stubs = map[string]string{
	"apt-get": `
echo "apt-get $*" >>"$STUBS/log"
fails() { # fails KIND TIMES
	n=$(cat "$STUBS/$1" 2>/dev/null || echo 0)
	echo $((n + 1)) >"$STUBS/$1"
	[ "$n" -lt "$2" ] && echo "E: no $1" >&2
}
case "$*" in
*update*)
	touch "$STUBS/updated"
	! fails update "${UPDATE_FAILS:-0}" || exit 100 ;;
*download*)
	! fails download "${DOWNLOAD_FAILS:-0}" || exit 100
	touch package.deb ;;
*install*)
	! fails install "${INSTALL_FAILS:-0}" || exit 100 ;;
esac`,
	"apt-cache": `
case $1 in
show) [ "$KNOWN" = before ] || [ "$KNOWN" = after -a -e "$STUBS/updated" ] && echo "Package: $3" ;;
depends) echo "  Depends: linux-image-1.2.3" ;;
esac`,
	"dpkg": `echo amd64`,
	"dpkg-deb": `
mkdir -p "$3/boot" "$3/lib/modules/1.2.3" "$3/bin" "$3/usr/bin" "$3/usr/share/seabios" "$3/usr/lib/syslinux"
touch "$3/boot/vmlinuz-1.2.3" "$3/boot/memtest86+ia32.bin" "$3/boot/ipxe.lkrn" "$3/usr/lib/syslinux/memdisk" "$3/bin/busybox" "$3/usr/bin/iasl" "$3/usr/share/seabios/bios.bin" "$3/usr/share/seabios/bios-256k.bin"`,
	"id":    `echo "${ID:-0}"`,
	"go":    `exit 1`, // Alpine's server cannot be reached
	"uname": `echo Linux x86_64`,
}

// TestFetchScripts: what fetches has patience with the network, and says which command
// to run where that does not help.
func TestFetchScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: they are shell scripts for Debian")
	}
	for _, tt := range []struct {
		name, script string
		env          []string
		ok           bool
		says         string // somewhere
	}{
		{"nothing known", "guest.sh", []string{"KNOWN=after"}, true, "fetching busybox-static:i386"},
		{"known already", "guest.sh", []string{"KNOWN=before", "UPDATE_FAILS=99"}, true, ""},
		{"an update fails once", "guest.sh", []string{"KNOWN=after", "UPDATE_FAILS=1"}, true, "try 1 of 3: E: no update"},
		{"one source cannot be had", "guest.sh", []string{"KNOWN=after", "UPDATE_FAILS=99"}, true, "but what is needed is known"},
		{"no update helps", "guest.sh", []string{"UPDATE_FAILS=99"}, false, "Run as root: apt-get update"},
		{"no update helps, though it succeeds", "guest.sh", nil, false, "linux-image-686:i386"},
		{"not root", "guest.sh", []string{"ID=1000"}, false, "dpkg --add-architecture i386 && apt-get update"},
		{"a download fails twice", "guest.sh", []string{"KNOWN=before", "DOWNLOAD_FAILS=2"}, true, "try 2 of 3: E: no download"},
		{"lists are old", "guest.sh", []string{"KNOWN=before", "DOWNLOAD_FAILS=3"}, true, "apt-get update"},
		{"no download", "guest.sh", []string{"KNOWN=before", "DOWNLOAD_FAILS=99"}, false, "apt-get download linux-image-1.2.3:i386 succeeds"},
		{"what make run needs", "guest.sh run", []string{"KNOWN=before"}, true, ""},
		{"offline", "guest.sh", []string{"KNOWN=before", "ALPINEVM_OFFLINE=1"}, false, "no 686-pae 686 busybox seabios bios iasl, and ALPINEVM_OFFLINE=1"},
		{"tools", "tools.sh", []string{"KNOWN=after", "INSTALL_FAILS=1"}, true, "installing gcc libc6-dev zstd"},
		{"tools, no root", "tools.sh", []string{"KNOWN=before", "ID=1000"}, false, "apt-get install gcc libc6-dev zstd"},
		{"tools, no install", "tools.sh", []string{"KNOWN=before", "INSTALL_FAILS=99"}, false, "apt-get install gcc libc6-dev zstd"},
		{"tools, offline", "tools.sh", []string{"ALPINEVM_OFFLINE=1"}, false, "no gcc libc6-dev zstd chromium firefox-esr npm, and ALPINEVM_OFFLINE=1"},
		{"TypeScript, offline", "typescript.sh", []string{"ALPINEVM_OFFLINE=1"}, false, "no TypeScript, and ALPINEVM_OFFLINE=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			bin := stubBin(t, dir)
			words := strings.Fields(tt.script)
			cmd := exec.Command("/bin/sh", append([]string{filepath.Join("..", words[0])}, words[1:]...)...)
			cmd.Env = append([]string{"PATH=" + bin, "STUBS=" + dir, "XDG_CACHE_HOME=" + dir, "HOME=" + dir, "APT_PAUSE=0"}, tt.env...)
			out, err := cmd.CombinedOutput()
			if (err == nil) != tt.ok || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v\n%s", err, out)
			}
			asked, _ := os.ReadFile(filepath.Join(dir, "log"))
			if offline := strings.Contains(tt.name, "offline"); offline && len(asked) > 0 {
				t.Errorf("it asked the network:\n%s", asked)
			}
			if words[0] != "guest.sh" {
				return
			}
			for _, name := range []string{"686-pae/vmlinuz", "686-pae/modules", "busybox"} {
				if _, err := os.Stat(filepath.Join(dir, "alpinevm", "guest", name)); (err == nil) != tt.ok {
					t.Errorf("%s: %v", name, err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "alpinevm", "guest", "*work*")); left != nil {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// stubBin makes a folder of programs: the stubs, and what scripts use beside them. It has
// no gcc and no zstd.
func stubBin(t *testing.T, dir string) string {
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range stubs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "cat", "cp", "mv", "rm", "mkdir", "mktemp", "sed", "grep", "head", "tail", "tr", "touch", "sleep", "dirname", "echo"} {
		link(t, bin, name)
	}
	for _, name := range []string{"tar", "gzip", "bzip2", "xz", "lz4", "node", "gdb"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func link(t *testing.T, bin, name string) {
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
		t.Fatal(err)
	}
}
