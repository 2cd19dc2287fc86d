#!/bin/sh
# Fetches TypeScript by npm into the cache folder, and prints the folder's name: it checks the page's sources, and makes the types of the
# npm package. The page itself is built without it.
set -eu
version=5.9.3
sum=e8f349eabd48486bdb2bf9dc1a00c89d58297270c54b745838879e2859194419 # of lib/_tsc.js
me=typescript.sh

die() {
	echo "$me: $*" >&2
	exit 1
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/alpinevm
dir=$cache/typescript-$version
if [ ! -e "$dir/package.json" ]; then
	[ "${ALPINEVM_OFFLINE:-}" != 1 ] || die "no TypeScript, and ALPINEVM_OFFLINE=1 forbids to fetch what is missing"
	command -v npm >/dev/null || die "there is no npm: scripts/tools.sh installs it"
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/typescript-work-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "typescript@$version" >&2 || die "npm install typescript@$version failed"
	echo "$sum  $work/node_modules/typescript/lib/_tsc.js" | sha256sum -c - >/dev/null || die "what npm gives for typescript@$version is another program"
	mv "$work/node_modules/typescript" "$dir" || [ -e "$dir/package.json" ] # somebody else was quicker
fi
echo "$dir"
