package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"alpinevm/internal/confine"
)

// confinedLookout starts a lookout for the file that its argument names, confines
// itself, and says, for each line of its input, what the lookout sees and whether
// it could read the file itself.
func confinedLookout() {
	l, err := newLookout(os.Args[1])
	if err != nil {
		panic(err)
	}
	confine.Apply(confine.Config{})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		said := "nothing"
		if f, err := l.open(); err == nil {
			data, _ := io.ReadAll(f)
			said = fmt.Sprintf("%d %.20q", len(data), data)
		}
		_, err := os.ReadFile(os.Args[1])
		fmt.Printf("%s, %t\n", said, err == nil)
	}
}
