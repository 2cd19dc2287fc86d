package softfloat

// F80 is a number in the double extended format of the x87 (SDM vol. 1,
// 4.2.2): sign in bit 15 of SE, exponent with bias 16383 below it, significand
// with explicit integer bit in Mant.
type F80 struct {
	Mant uint64
	SE   uint16
}

const (
	sign80     = 0x8000
	exp80      = 0x7fff
	bias80     = 16383
	integerBit = 1 << 63
	quietBit80 = 1 << 62
)

// Numbers that instructions produce without computing them.
var (
	// Indefinite80 is the QNaN floating-point indefinite, the masked response
	// to invalid operations.
	Indefinite80 = F80{0xc000000000000000, 0xffff}
	// One80 is 1.0: FLD1, and what FPTAN pushes.
	One80 = F80{integerBit, bias80}
)

func infinity80(neg bool) F80 { return F80{integerBit, signOf(neg) | exp80} }

func signOf(neg bool) uint16 {
	if neg {
		return sign80
	}
	return 0
}

// Neg returns a with its sign flipped, whatever a is (FCHS).
func (a F80) Neg() F80 { return F80{a.Mant, a.SE ^ sign80} }

// Abs returns a with its sign clear, whatever a is (FABS).
func (a F80) Abs() F80 { return F80{a.Mant, a.SE &^ sign80} }

// Negative reports whether the sign of a is set.
func (a F80) Negative() bool { return a.SE&sign80 != 0 }

// Class is what FXAM tells of a register (SDM vol. 2A, FXAM).
type Class uint8

// Classes of 80-bit encodings. Pseudo-denormals are denormal; unnormals,
// pseudo-NaNs and pseudo-infinities are unsupported.
const (
	ClassZero Class = iota
	ClassNormal
	ClassDenormal
	ClassInfinity
	ClassNaN
	ClassUnsupported
)

// Class returns the class of a.
func (a F80) Class() Class {
	switch exp := a.SE & exp80; {
	case exp == 0 && a.Mant == 0:
		return ClassZero
	case exp == 0:
		return ClassDenormal
	case a.Mant&integerBit == 0:
		return ClassUnsupported
	case exp != exp80:
		return ClassNormal
	case a.Mant<<1 == 0:
		return ClassInfinity
	}
	return ClassNaN
}

// signaling reports whether a, which is a NaN, is a signaling one.
func (a F80) signaling() bool { return a.Mant&quietBit80 == 0 }

// Signaling reports whether a is a signaling NaN.
func (a F80) Signaling() bool { return a.Class() == ClassNaN && a.signaling() }

// number returns a, which is zero, normal or denormal.
func (a F80) number() wide {
	exp := int32(a.SE & exp80)
	if exp == 0 {
		return wide{a.Mant, 0, 1 - bias80, a.Negative()}.normal()
	}
	return wide{a.Mant, 0, exp - bias80, a.Negative()}
}

// pack80 encodes the rounded number r.
func pack80(r rounded, neg bool) F80 {
	se := signOf(neg)
	switch {
	case r.exp > bias80:
		return F80{integerBit, se | exp80}
	case r.mant&integerBit == 0:
		return F80{r.mant, se}
	}
	return F80{r.mant, se | uint16(r.exp+bias80)}
}

// round80 rounds w, which is normal or zero, at the given precision.
func (e *Env) round80(w wide, precision uint8) F80 {
	if w.isZero() {
		return F80{0, signOf(w.neg)}
	}
	s := shape80
	s.precision = precision
	return pack80(e.round(w, &s), w.neg)
}

// indefinite80 raises IE and returns the masked response to it.
func (e *Env) indefinite80() F80 {
	e.Flags |= IE
	return Indefinite80
}

// nan80 gives the result of an operation of which an operand is a NaN (SDM
// vol. 1, table 4-7) or has an unsupported encoding (8.2.2). ok is false if
// neither is so.
func (e *Env) nan80(a, b F80) (r F80, ok bool) {
	ca, cb := a.Class(), b.Class()
	if ca == ClassUnsupported || cb == ClassUnsupported {
		return e.indefinite80(), true
	}
	if ca != ClassNaN && cb != ClassNaN {
		return F80{}, false
	}
	sa := ca == ClassNaN && a.signaling()
	sb := cb == ClassNaN && b.signaling()
	if sa || sb {
		e.Flags |= IE
	}
	switch {
	case ca != ClassNaN:
		a = b
	case cb != ClassNaN:
	case sa && !sb:
		a = b
	case sb && !sa:
	case a.Mant < b.Mant || a.Mant == b.Mant && a.Negative():
		a = b
	}
	a.Mant |= quietBit80
	return a, true
}

// nan80of1 is nan80 for an operation of one operand.
func (e *Env) nan80of1(a F80) (r F80, ok bool) {
	switch a.Class() {
	case ClassUnsupported:
		return e.indefinite80(), true
	case ClassNaN:
		if a.signaling() {
			e.Flags |= IE
		}
		a.Mant |= quietBit80
		return a, true
	}
	return a, false
}

// denormals raises DE if an operand is denormal, and reports whether the
// computation must stop.
func (e *Env) denormals(a, b F80) (stop bool) {
	if a.Class() == ClassDenormal || b.Class() == ClassDenormal {
		return e.raise(DE)
	}
	return false
}

// Compare80 compares a and b. An unordered comparison raises IE if an operand
// is a signaling NaN or unsupported, and for any NaN unless quiet is set
// (FUCOM and its kin). A denormal operand raises DE; the relation is right even
// if that is not masked. SDM vol. 2A, FCOM.
func (e *Env) Compare80(a, b F80, quiet bool) Relation {
	ca, cb := a.Class(), b.Class()
	if ca >= ClassNaN || cb >= ClassNaN {
		if !quiet || ca == ClassUnsupported || cb == ClassUnsupported ||
			ca == ClassNaN && a.signaling() || cb == ClassNaN && b.signaling() {
			e.Flags |= IE
		}
		return Unordered
	}
	e.denormals(a, b)
	if ca == ClassZero && cb == ClassZero {
		return Equal
	}
	if a.Negative() != b.Negative() {
		if a.Negative() {
			return Less
		}
		return Greater
	}
	less, greater := Less, Greater
	if a.Negative() {
		less, greater = Greater, Less
	}
	// A pseudo-denormal has the value of the encoding with exponent 1.
	ea, eb := max(a.SE&exp80, 1), max(b.SE&exp80, 1)
	switch {
	case ea < eb || ea == eb && a.Mant < b.Mant:
		return less
	case ea == eb && a.Mant == b.Mant:
		return Equal
	}
	return greater
}
