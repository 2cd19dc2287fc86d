#include "textflag.h"

// func enter(stub, context uintptr)
// The stub keeps SP and BP, and returns in its place.
TEXT ·enter(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ stub+0(FP), AX
	MOVQ context+8(FP), R15
	JMP AX

// func cpuid(leaf uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET
