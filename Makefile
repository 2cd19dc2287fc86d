# make web    what a browser gets, in web/dist, which alpinevm serve and alpinevm web build give out
# make run    boot a guest and end at its shell; ARGS="-m 1G -- uname -a" goes to alpinevm run
# make test   everything a change must pass
# make fuzz   every fuzz target for a while: FUZZTIME=5m make fuzz
# make cross  build for every platform we promise
# make npm    the npm package of the page's interface, in dist/, not published: VERSION=v0.1.0 make npm
# make release  archives, checksums and a list of what is linked in, in dist/: VERSION=v0.1.0 make release
# make install  the program, its manual page and the completions of bash, zsh and fish: PREFIX=/usr/local DESTDIR= make install
# make vuln   look for known holes in what is linked in; needs https://vuln.go.dev or, in its place, VULNDB=file:///DIR
GO ?= go
VERSION ?= dev
PREFIX ?= /usr/local
PROGRAM ?= alpinevm
SHARE = $(DESTDIR)$(PREFIX)/share
# A machine may pin GOTOOLCHAIN=local: the release that go.mod asks for is fetched.
export GOTOOLCHAIN = auto

.PHONY: build web npm install uninstall run test fuzz cross bench guest release notice vuln clean

build: web
	CGO_ENABLED=0 $(GO) build -trimpath -o alpinevm ./cmd/alpinevm

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/alpinevm
	umask 022; $(DESTDIR)$(PREFIX)/bin/alpinevm man >$(SHARE)/man/man1/alpinevm.1
	umask 022; $(DESTDIR)$(PREFIX)/bin/alpinevm completion bash >$(SHARE)/bash-completion/completions/alpinevm
	umask 022; $(DESTDIR)$(PREFIX)/bin/alpinevm completion zsh >$(SHARE)/zsh/site-functions/_alpinevm
	umask 022; $(DESTDIR)$(PREFIX)/bin/alpinevm completion fish >$(SHARE)/fish/vendor_completions.d/alpinevm.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/alpinevm $(SHARE)/man/man1/alpinevm.1 $(SHARE)/bash-completion/completions/alpinevm
	rm -f $(SHARE)/zsh/site-functions/_alpinevm $(SHARE)/fish/vendor_completions.d/alpinevm.fish

web:
	@$(GO) run ./scripts/web -go '$(GO)'

npm: web
	$(GO) run ./scripts/npm -version $(VERSION)

# Without the page, which takes a while and is not needed here.
run:
	CGO_ENABLED=0 $(GO) build -trimpath -o alpinevm ./cmd/alpinevm
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

release: web
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
	find web/dist -mindepth 1 ! -name README -delete
