// Command hot is a program for profiles, most of which is one function: "hot N" goes
// round N times.
package main

import (
	"fmt"
	"os"
	"strconv"
)

//go:noinline
func hot(n int) uint32 {
	x := uint32(1)
	for i := range n {
		x = x*1664525 + uint32(i)
	}
	return x
}

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(hot(n))
}
