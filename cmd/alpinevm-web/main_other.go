//go:build !js

// Command alpinevm-web is alpinevm in a browser's tab.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "alpinevm-web: it runs in a browser: build it with GOOS=js GOARCH=wasm, or use alpinevm serve")
	os.Exit(2)
}
