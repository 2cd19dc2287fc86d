#!/bin/sh
# Everything a change must pass: formatting, vet, the tests (which boot real
# guests and ask the host CPU), and the race detector on what is concurrent.
# ALPINEVM_OFFLINE=1 allows tests to skip what they cannot fetch.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}

unformatted=$(gofmt -l $(git ls-files '*.go' 2>/dev/null || find . -name '*.go'))
if [ -n "$unformatted" ]; then
	echo "gofmt -w these files:" >&2
	echo "$unformatted" >&2
	exit 1
fi
$GO vet ./...
if [ "$($GO env GOOS)/$($GO env GOARCH)" = linux/amd64 ] && command -v gcc >/dev/null; then
	CGO_ENABLED=1 $GO test -race -short -timeout 10m . ./bench ./cpu ./fs9p/... ./kernel/apk ./net/...
fi
# Never from the cache: it does not know the guests, and a run must boot them.
$GO test -count=1 -json -timeout 14m ./... | $GO run ./scripts/testsum
