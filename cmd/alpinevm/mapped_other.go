//go:build !unix || aix

package main

import "os"

// mappedFile is a file that is read.
type mappedFile struct{ *os.File }
