#!/bin/sh
# Build for every platform that SPECIFICATION.md promises, without cgo, and check that the tests compile there.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
for p in linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 js/wasm; do
	echo "build $p"
	CGO_ENABLED=0 GOOS=${p%/*} GOARCH=${p#*/} $GO build ./...
	CGO_ENABLED=0 GOOS=${p%/*} GOARCH=${p#*/} $GO vet ./...
done
