#!/bin/sh
# Fetches the guest software that the tests boot, or with the argument "run" only what make run does, into ${XDG_CACHE_HOME:-$HOME/.cache}/alpinevm/guest:
#
#   686-pae/vmlinuz, 686-pae/modules/   Debian's linux-image-686-pae (three-level paging)
#   686/vmlinuz, 686/modules/           Debian's linux-image-686 (two-level paging)
#   busybox                             Debian's busybox-static for i386
#   seabios/                            Debian's SeaBIOS, in 128 and 256 KiB
#   bios/                               kernels that are none of Linux's: memtest86+, and iPXE and memdisk, which call a BIOS
#   iasl                                the host's ACPI disassembler, from acpica-tools
#   alpine-minirootfs-*-x86.tar.gz      Alpine's root file system, unless ../shared/guest has it; without it (there may be no
#                                       network) what needs it is skipped
#
# What is there already is kept. It needs a Debian-like machine: apt-get and dpkg-deb, and the i386 architecture enabled, which
# it does itself when it runs as root. The last line on success is the folder's name.
set -eu

me=guest.sh
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/apt.sh"
dest=${XDG_CACHE_HOME:-$HOME/.cache}/alpinevm/guest
what=${1:-all}
work=

alpine=alpine-minirootfs-3.20.3-x86.tar.gz
alpine_url=https://dl-cdn.alpinelinux.org/alpine/v3.20/releases/x86/$alpine
alpine_sha256=4c7ba1c9e6642692dd5cb302e5e58943221901f2e15991af7d5cb4ded80dc7b9

clean() {
	rm -f "$apt_log"
	[ -z "$work" ] || rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

only_run() { [ "$what" = run ]; }

has_kernel() { [ -e "$dest/$1/vmlinuz" ] && [ -d "$dest/$1/modules" ]; }

# lacks names what is not there yet.
lacks() {
	has_kernel 686-pae || echo 686-pae
	only_run || has_kernel 686 || echo 686
	[ -e "$dest/busybox" ] || echo busybox
	only_run || [ -d "$dest/seabios" ] || echo seabios
	only_run || [ -d "$dest/bios" ] || echo bios
	only_run || [ -e "$dest/iasl" ] || echo iasl
}

# prepare makes apt know i386 packages.
prepare() {
	for tool in apt-get apt-cache dpkg dpkg-deb; do
		command -v $tool >/dev/null || die "$tool is missing: this script needs Debian or a relative of it;" \
			"elsewhere put the files named at its top into $dest"
	done
	packages="linux-image-686-pae:i386 busybox-static:i386"
	only_run || packages="$packages linux-image-686:i386 seabios memtest86+ ipxe syslinux-common acpica-tools"
	# shellcheck disable=SC2086 # a list of names
	known $packages && return
	if [ "$(id -u)" != 0 ]; then
		die "apt does not know Debian's i386 packages; run as root:
    dpkg --add-architecture i386 && apt-get update
then run this script again"
	fi
	[ "$(dpkg --print-architecture)" = i386 ] || dpkg --add-architecture i386
	# shellcheck disable=SC2086
	update $packages
}

# versioned META: the package with the kernel itself, which the metapackage depends on.
versioned() {
	apt-cache depends --no-recommends --no-suggests "$1" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

# fetch NAME: downloads a package to $work and unpacks it to $work/root.
fetch() {
	rm -rf "$work/root" "$work"/*.deb
	say "fetching $1"
	cd "$work"
	# Lists that are old name packages that are gone.
	apt_get download "$1" || { [ "$(id -u)" = 0 ] && update "$1" && apt_get download "$1"; } ||
		apt_failed "cannot download $1: run apt-get update as root, see that apt-get download $1 succeeds, and run scripts/guest.sh again"
	cd "$top"
	dpkg-deb -x "$work"/*.deb "$work/root"
}

# kernel FLAVOUR
kernel() {
	has_kernel "$1" && return
	package=$(versioned "linux-image-$1:i386")
	[ -n "$package" ] || die "linux-image-$1:i386 depends on no kernel package"
	case $package in *:i386) ;; *) package=$package:i386 ;; esac
	fetch "$package"
	modules=$(echo "$work"/root/lib/modules/* "$work"/root/usr/lib/modules/* | tr ' ' '\n' | grep -v '\*$' | head -n 1)
	[ -d "$modules" ] || die "$package holds no modules"
	rm -rf "$dest/$1"
	mkdir -p "$dest/$1.new"
	cp "$work"/root/boot/vmlinuz-* "$dest/$1.new/vmlinuz"
	mv "$modules" "$dest/$1.new/modules"
	mv "$dest/$1.new" "$dest/$1"
}

# root fetches the Alpine root file system, if it can.
root() {
	[ ! -e "$top/../shared/guest/$alpine" ] && [ ! -e "$dest/$alpine" ] || return 0
	[ "${ALPINEVM_OFFLINE:-}" != 1 ] || return 0
	say "fetching $alpine"
	mkdir -p "$dest"
	(cd "$top" && ${GO:-go} run ./scripts/fetch "$alpine_url" "$alpine_sha256" "$dest/$alpine") ||
		say "no Alpine root file system, and what needs it is skipped: put $alpine into $dest"
}

case $what in all | run) ;; *) die "$what: give nothing, or run" ;; esac
root
missing=$(lacks | tr '\n' ' ')
if [ -n "$missing" ]; then
	online "${missing% }"
	mkdir -p "$dest"
	rm -rf "$dest"/*.new
	work=$(mktemp -d "$dest/work.XXXXXX")
	prepare
	kernel 686-pae
	only_run || kernel 686
	if ! [ -e "$dest/busybox" ]; then
		fetch busybox-static:i386
		cp "$work/root/bin/busybox" "$dest/busybox.new" 2>/dev/null || cp "$work/root/usr/bin/busybox" "$dest/busybox.new"
		mv "$dest/busybox.new" "$dest/busybox"
	fi
	if ! only_run && ! [ -d "$dest/seabios" ]; then
		fetch seabios
		mkdir "$dest/seabios.new"
		cp "$work/root/usr/share/seabios/bios.bin" "$work/root/usr/share/seabios/bios-256k.bin" "$dest/seabios.new"
		mv "$dest/seabios.new" "$dest/seabios"
	fi
	if ! only_run && ! [ -d "$dest/bios" ]; then
		mkdir "$dest/bios.new"
		fetch memtest86+
		cp "$work/root/boot/memtest86+ia32.bin" "$dest/bios.new/memtest"
		fetch ipxe
		cp "$work/root/boot/ipxe.lkrn" "$dest/bios.new/ipxe"
		fetch syslinux-common
		cp "$work/root/usr/lib/syslinux/memdisk" "$dest/bios.new/memdisk"
		mv "$dest/bios.new" "$dest/bios"
	fi
	if ! only_run && ! [ -e "$dest/iasl" ]; then
		fetch acpica-tools
		cp "$work/root/usr/bin/iasl" "$dest/iasl.new"
		mv "$dest/iasl.new" "$dest/iasl"
	fi
fi
echo "$dest"
