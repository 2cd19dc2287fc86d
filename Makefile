# make run    boot a guest and end at its shell; ARGS="-m 1G -- uname -a" goes to alpinevm run
# make test   everything a change must pass
# make fuzz   every fuzz target for a while: FUZZTIME=5m make fuzz
# make cross  build for every platform we promise
# make release  archives, checksums and a list of what is linked in, in dist/: VERSION=v0.1.0 make release
# make vuln   look for known holes in what is linked in; needs https://vuln.go.dev or, in its place, VULNDB=file:///DIR
GO ?= go
VERSION ?= dev
# A machine may pin GOTOOLCHAIN=local: the release that go.mod asks for is fetched.
export GOTOOLCHAIN = auto

.PHONY: build run test fuzz cross bench guest release notice vuln clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o alpinevm ./cmd/alpinevm

run: build
	scripts/run.sh $(ARGS)

# What the tests boot: Debian's i386 kernels, busybox and an Alpine root.
guest:
	scripts/guest.sh

test:
	@command -v $(GO) >/dev/null || { echo "there is no $(GO): install Go, at least the version that go.mod names, from https://go.dev/dl"; exit 1; }
	@GO='$(GO)' $(GO) run ./scripts/gate

fuzz:
	scripts/fuzz.sh

cross:
	scripts/cross.sh

release:
	$(GO) run ./scripts/release -version $(VERSION)

# NOTICE, with the licences of what is linked in.
notice:
	$(GO) run ./scripts/notice

vuln:
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest $(if $(VULNDB),-db $(VULNDB)) ./...

bench: guest
	$(GO) test -run '^$$' -bench . ./cpu/...
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m . ./cmd/alpinevm

clean:
	rm -rf alpinevm dist
