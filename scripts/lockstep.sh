#!/bin/sh
# Run real work on all engines in lock-step: scripts/lockstep.sh boot|go-build|debian
# It takes from a minute (boot) to an hour. ENGINES=interpreter,translator runs just these; also translator-strict, mix.
# debian needs mmdebstrap. What is made for the guest is kept in ${LOCKSTEP_DIR:-/tmp/alpinevm-lockstep}.
set -eu
cd "$(dirname "$0")/.."
me=lockstep
. scripts/apt.sh
GO=${GO:-go}
dir=${LOCKSTEP_DIR:-/tmp/alpinevm-lockstep}
mkdir -p "$dir"

# goroot makes $dir/go.tar, the host's Go toolchain for linux/386 in usr/local/go.
goroot() {
	[ ! -e "$dir/go.tar" ] || return 0
	host=$($GO env GOROOT)
	rm -rf "$dir/tree"
	to=$dir/tree/usr/local/go
	mkdir -p "$to/bin" "$to/pkg/tool/linux_386"
	for tool in go compile asm link buildid; do
		out=$to/pkg/tool/linux_386/$tool
		[ $tool != go ] || out=$to/bin/go
		(cd "$host/src" && GOOS=linux GOARCH=386 CGO_ENABLED=0 GOFLAGS= GOWORK=off $GO build -trimpath -ldflags='-s -w' -o "$out" cmd/$tool)
	done
	cp -r "$host/src" "$host/VERSION" "$host/go.env" "$to"
	cp -r "$host/pkg/include" "$to/pkg"
	tar -C "$dir/tree" --owner=0 --group=0 --mtime=@1577836800 -cf "$dir/go.tar.new" usr
	mv "$dir/go.tar.new" "$dir/go.tar"
	rm -rf "$dir/tree"
}

# alpine makes $dir/alpine.tar, the root file system of other tests.
alpine() {
	for f in ../shared/guest/alpine-minirootfs-*-x86.tar.gz; do
		[ ! -e "$f" ] || { gzip -dc "$f" >"$dir/alpine.tar"; return; }
	done
	cp "${XDG_CACHE_HOME:-$HOME/.cache}/alpinevm/guest/busybox-root.tar" "$dir/alpine.tar"
}

# debian makes $dir/debian.tar, with the programs that are run.
debian() {
	[ ! -e "$dir/debian.tar" ] || return 0
	online "Debian root file system"
	mmdebstrap --arch=i386 --variant=minbase --include=python3,perl,lua5.4,ruby,git,gcc,libc6-dev,nodejs bookworm "$dir/debian.new.tar"
	mv "$dir/debian.new.tar" "$dir/debian.tar"
}

work=${1:-}
case $work in
boot)
	alpine
	root=$dir/alpine.tar
	;;
go-build)
	goroot
	alpine
	root=$dir/alpine.tar,$dir/go.tar
	;;
debian)
	debian
	root=$dir/debian.tar
	;;
*)
	die "want boot, go-build or debian, not \"$work\""
	;;
esac
exec $GO test -count=1 -v -timeout 6h -run '^TestLockStepOfWork$' . -lockstep.root "$root" -lockstep.script "testdata/lockstep/$work.sh" ${ENGINES:+-lockstep.engines "$ENGINES"}
