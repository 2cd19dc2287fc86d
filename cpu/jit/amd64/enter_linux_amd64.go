package amd64

// enter calls the code at stub with r15 = context. It never calls Go and
// returns as every ABI0 function does: all registers but SP and BP are lost.
//
//go:noescape
func enter(stub, context uintptr)
