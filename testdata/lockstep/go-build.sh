set -e
mount -t tmpfs tmpfs /tmp
mkdir -p /tmp/w/src
cd /tmp/w/src
export PATH=/usr/local/go/bin:$PATH HOME=/tmp/w GOCACHE=/tmp/w/cache GOTMPDIR=/tmp GOPROXY=off GOTOOLCHAIN=local GOTELEMETRY=off CGO_ENABLED=0
printf 'module hello\n\ngo 1.24\n' >go.mod
printf 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello, world") }\n' >main.go
go version
go build -o hello .
./hello
echo 'var _ = "changed"' >>main.go
go build -o hello .
./hello
md5sum hello
