#include "textflag.h"

// func enter(stub, context uintptr)
// The frame makes the assembler keep BP. Generated code uses 8 bytes of stack
// below it, for its calls.
TEXT ·enter(SB), NOSPLIT, $24-16
	MOVQ stub+0(FP), AX
	MOVQ context+8(FP), R15
	CALL AX
	CLD
	RET
