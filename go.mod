module alpinevm

go 1.26.0

require (
	github.com/klauspost/compress v1.20.3
	github.com/therootcompany/xz v1.0.1
	github.com/ulikunitz/xz v0.5.17
)

require golang.org/x/arch v0.32.0
