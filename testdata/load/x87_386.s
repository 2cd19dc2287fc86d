#include "textflag.h"

// func x87(n uint32, out *[60]byte)
TEXT ·x87(SB), NOSPLIT, $0-8
	MOVL	n+0(FP), CX
	MOVL	out+4(FP), DI
	FLD1
	FLDPI
	FLDLN2
	FLDLG2
	FLDLN2
	FMULD	F1, F0
	FLDL2E
	FSUBD	F5, F0
loop: // x = sin(pi*x), which never settles, in turn for four of them
	FMULD	F4, F0
	FSIN
	FXCHD	F0, F1
	FMULD	F4, F0
	FSIN
	FXCHD	F0, F2
	FMULD	F4, F0
	FSIN
	FXCHD	F0, F3
	DECL	CX
	JNZ	loop
	FMOVXP	F0, 0(DI)
	FMOVXP	F0, 10(DI)
	FMOVXP	F0, 20(DI)
	FMOVXP	F0, 30(DI)
	FMOVXP	F0, 40(DI)
	FMOVXP	F0, 50(DI)
	RET

// func copyForward(to, from []byte)
TEXT ·copyForward(SB), NOSPLIT, $0-24
	MOVL	to_base+0(FP), DI
	MOVL	from_base+12(FP), SI
	MOVL	from_len+16(FP), CX
	CLD
	REP;	MOVSB
	RET
