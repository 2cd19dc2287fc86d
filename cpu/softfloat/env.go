// Package softfloat is binary floating-point arithmetic as x86 processors do
// it: IEEE 754-2008 binary32 and binary64 under MXCSR, and the 80-bit double
// extended format under the x87 control word. Every operation takes its
// rounding mode, precision control, exception masks and the DAZ and FTZ modes
// from an Env and leaves there the exceptions that it raised.
//
// Sources: SDM vol. 1 chapters 4 (formats, NaNs), 8 (x87), 11 (MXCSR) and
// appendix E; IEEE 754-2008 where the SDM is silent. Tininess is detected
// after rounding, in all formats.
//
// Two families share the package and differ in rules. The functions whose
// names end in 32 and 64 follow SSE: of two NaNs the first operand wins, and
// the caller must not write a destination when an unmasked exception is
// raised. Those that end in 80 follow the x87: of two NaNs the one with the
// larger significand wins, unmasked overflow and underflow of a register
// destination deliver the result with its exponent adjusted by 24576 (SDM
// vol. 1, 8.5.4 and 8.5.5), and C1 tells whether the result was rounded up.
//
// The caller decides what an exception does: Env.Unmasked says whether the
// operation raised one whose mask is clear. Where it is a fault before the
// computation (IE, DE, ZE), the returned value has no meaning.
package softfloat

// Flags is a set of exceptions, at the bit positions of the x87 status word
// and of MXCSR, with the x87 condition code C1 at its place in the status word.
type Flags uint16

// Exception flags (SDM vol. 1, 8.1.3.3 and 11.6.4), and C1.
const (
	IE Flags = 1 << 0 // invalid operation
	DE Flags = 1 << 1 // denormal operand
	ZE Flags = 1 << 2 // division by zero
	OE Flags = 1 << 3 // overflow
	UE Flags = 1 << 4 // underflow
	PE Flags = 1 << 5 // inexact result
	C1 Flags = 1 << 9 // the magnitude was rounded up

	exceptions = IE | DE | ZE | OE | UE | PE
)

// Rounding is a rounding mode, encoded as the RC fields of the x87 control
// word and of MXCSR encode it.
type Rounding uint8

// Rounding modes (SDM vol. 1, table 4-8).
const (
	Nearest Rounding = iota // to the nearest value, ties to even
	Down                    // towards minus infinity
	Up                      // towards plus infinity
	Zero                    // towards zero
)

// Env is what an operation depends on beside its operands, and the record of
// what it raised. Flags only gains bits: the caller clears it before each
// instruction. An Env may be copied; the zero Env is not useful, make one by
// FromControl or FromMXCSR.
type Env struct {
	Masks     Flags    // exceptions that are masked
	Flags     Flags    // exceptions raised, and C1
	Rounding  Rounding // rounding mode
	Precision uint8    // bits of significand of 80-bit add, sub, mul, div and sqrt: 24, 53 or 64
	DAZ       bool     // SSE: denormal operands are zeros (MXCSR bit 6)
	FTZ       bool     // SSE: tiny results are zeros while UE is masked (MXCSR bit 15)
	Host      bool     // SSE: rounding is to nearest and PE is masked and need not be reported, being set already
}

// FromControl returns the Env of an x87 control word. The reserved precision
// control 01 counts as 64 bits.
func FromControl(cw uint16) Env {
	precision := uint8(64)
	switch cw >> 8 & 3 {
	case 0:
		precision = 24
	case 2:
		precision = 53
	}
	return Env{Masks: Flags(cw) & exceptions, Rounding: Rounding(cw >> 10 & 3), Precision: precision}
}

// FromMXCSR returns the Env of an MXCSR value. Its Flags are clear: they will
// be those of the next instruction, for the caller to merge into MXCSR.
func FromMXCSR(v uint32) Env {
	e := Env{
		Masks:     Flags(v>>7) & exceptions,
		Rounding:  Rounding(v >> 13 & 3),
		Precision: 64,
		DAZ:       v&(1<<6) != 0,
		FTZ:       v&(1<<15) != 0,
	}
	e.Host = e.Rounding == Nearest && e.Masks&PE != 0 && Flags(v)&PE != 0
	return e
}

// Unmasked reports whether an exception was raised that is not masked.
func (e *Env) Unmasked() bool { return e.Flags&exceptions&^e.Masks != 0 }

// raise records exceptions that are detected before the computation and
// reports whether the computation must stop there.
func (e *Env) raise(f Flags) (stop bool) {
	e.Flags |= f
	return f&^e.Masks != 0
}

// Relation is the result of a comparison.
type Relation uint8

// Results of a comparison. The values are independent of any flag register.
const (
	Less Relation = iota
	Equal
	Greater
	Unordered
)
