#!/bin/sh
# Boots a guest and ends at its shell. Arguments go to alpinevm run:
#
#   scripts/run.sh -m 1G -v "$PWD:/src" -- ls /src
#
# With the internet this is alpinevm run, which fetches Alpine's image and kernel once. Without it the kernel is Debian's (scripts/guest.sh
# fetches it) and the root file system Alpine's from ../shared/guest or, where that is not there, one made of Debian's busybox alone.
set -eu
cd "$(dirname "$0")/.."

say() { echo "run.sh: $*" >&2; }

[ -x alpinevm ] || CGO_ENABLED=0 ${GO:-go} build -trimpath -o alpinevm ./cmd/alpinevm
[ ! -t 1 ] || say "Ctrl-A x leaves, Ctrl-A h helps"

image=i386/alpine
if [ -n "$(./alpinevm images -q $image)" ] || ./alpinevm pull $image; then
	exec ./alpinevm run "$@"
fi
say "Docker Hub or Alpine's server cannot be reached: this boots Debian's kernel"

guest=$(scripts/guest.sh run | tail -n 1)
[ -d "$guest" ] || exit 1

# busybox_root makes a root file system of busybox and a few lines of /etc.
busybox_root() {
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	(
		cd "$tree"
		mkdir -p bin dev etc proc root run sbin sys tmp usr/bin usr/sbin var
		chmod 1777 tmp
		cp "$guest/busybox" bin/busybox
		# A host that runs no i386 programs cannot ask for the names; the shell of this busybox finds its applets without.
		for applet in $("$guest/busybox" --list 2>/dev/null || echo sh); do
			[ "$applet" = busybox ] || ln -s busybox "bin/$applet"
		done
		ln -s ../bin/init sbin/init
		echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
		echo 'root:x:0:' >etc/group
		echo 'Busybox of Debian, without Alpine.' >etc/motd
		tar -cf - --owner=0 --group=0 --numeric-owner .
	) >"$1.new"
	mv "$1.new" "$1"
}

root=
for file in ../shared/guest/alpine-minirootfs-*-x86.tar.gz "$guest"/alpine-minirootfs-*-x86.tar.gz; do
	[ -n "$root" ] || [ ! -e "$file" ] || root=$file
done
if [ -z "$root" ]; then
	root=$guest/busybox-root.tar
	say "no Alpine root file system here either: the root is Debian's busybox alone"
	[ -e "$root" ] || busybox_root "$root"
fi
exec ./alpinevm run --kernel "$guest/686-pae/vmlinuz" --modules "$guest/686-pae/modules" --rootfs "$root" "$@"
