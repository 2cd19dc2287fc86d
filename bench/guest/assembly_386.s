#include "textflag.h"

// func horner(x *float64, c, d *[16]float64, n int)
TEXT ·horner(SB), NOSPLIT, $0-16
	MOVL x+0(FP), AX
	MOVL c+4(FP), BX
	MOVL d+8(FP), DX
	MOVL n+12(FP), CX
	XORL SI, SI
	FMOVD (AX), F0
next:
	FMULD (BX)(SI*8), F0
	FADDD (DX)(SI*8), F0
	INCL SI
	ANDL $15, SI
	DECL CX
	JNZ  next
	FMOVDP F0, (AX)
	RET

DATA ·multipliers+0(SB)/4, $1664525
DATA ·multipliers+4(SB)/4, $22695477
DATA ·multipliers+8(SB)/4, $1103515245
DATA ·multipliers+12(SB)/4, $134775813
GLOBL ·multipliers(SB), RODATA, $16

DATA ·factors+0(SB)/8, $0.7
DATA ·factors+8(SB)/8, $1.3
GLOBL ·factors(SB), RODATA, $16

// func vector(integers *[4]uint32, numbers *[2]float64, n int)
TEXT ·vector(SB), NOSPLIT, $0-12
	MOVL  integers+0(FP), AX
	MOVL  numbers+4(FP), BX
	MOVL  n+8(FP), CX
	MOVOU (AX), X0
	MOVOU (BX), X1
	MOVOU ·multipliers(SB), X2
	MOVOU ·factors(SB), X3
again:
	MOVO    X0, X4
	PMULULQ X2, X4
	PSHUFL  $0x39, X0, X5
	PADDL   X4, X5
	MOVO    X5, X6
	PSRLL   $13, X6
	PXOR    X6, X5
	PADDL   X2, X5
	MOVO    X5, X0
	MULPD   X3, X1
	ADDPD   X3, X1
	SQRTPD  X1, X1
	DECL    CX
	JNZ     again
	MOVOU X0, (AX)
	MOVOU X1, (BX)
	RET
