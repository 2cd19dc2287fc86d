#!/bin/sh
# Installs what the tests use beside Go: a C compiler, which the race detector needs, the tools that pack Linux kernels, a debugger, and
# the browsers and Node.js, in which machines run as well.
# What is there already is left alone. It needs a Debian-like machine and root to install.
set -eu
me=tools.sh
. "$(dirname "$0")/apt.sh"
trap 'rm -f "$apt_log"' EXIT
trap 'exit 1' HUP INT TERM

missing=
# need PROGRAM PACKAGE...
need() {
	command -v "$1" >/dev/null && return
	shift
	missing="$missing $*"
}
[ "$(uname -sm)" != "Linux x86_64" ] || need gcc gcc libc6-dev
need tar tar
need gzip gzip
need bzip2 bzip2
need xz xz-utils
need zstd zstd
need lz4 lz4
need chromium chromium
command -v firefox >/dev/null || need firefox-esr firefox-esr
need node nodejs
need npm npm
need gdb gdb
[ -n "$missing" ] || exit 0

online "${missing# }"
command -v apt-get >/dev/null || die "install ${missing# }, by their Debian names"
[ "$(id -u)" = 0 ] || die "run as root: apt-get update && apt-get install$missing"
# shellcheck disable=SC2086 # a list of names
known $missing || update $missing
say "installing${missing}"
# shellcheck disable=SC2086
apt_get install -y --no-install-recommends $missing || apt_failed "run as root: apt-get update && apt-get install$missing"
