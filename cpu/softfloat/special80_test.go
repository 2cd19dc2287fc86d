package softfloat

import "testing"

// Operands that have names. The rows of these tests were read off silicon (an
// x86-64 processor of AMD family 19h) and agree with SDM vol. 1, tables 4-7,
// 8-10 and the tables of the instructions' pages.
var (
	pZero  = F80{0, 0}
	nZero  = F80{0, 0x8000}
	pOne   = One80
	nOne   = F80{1 << 63, 0xbfff}
	pTwo   = F80{1 << 63, 0x4000}
	pInf   = infinity80(false)
	nInf   = infinity80(true)
	tiny   = F80{1, 0}
	pseudo = F80{1<<63 | 1, 0}
	qnan1  = F80{0xc000000000000001, 0x7fff}
	qnan2  = F80{0xc000000000000002, 0x7fff}
	nqnan1 = F80{0xc000000000000001, 0xffff}
	snan1  = F80{0x8000000000000001, 0x7fff}
	snan2  = F80{0x8000000000000002, 0x7fff}
	unnorm = F80{1 << 62, 0x3fff}
	badInf = F80{0, 0x7fff}
	badNaN = F80{1, 0x7fff}
	def    = Indefinite80
)

type binaryRow struct {
	op    string
	a, b  F80
	want  F80
	flags Flags
}

// nanRows hold for every operation of two operands.
var nanRows = []binaryRow{
	{"nan", qnan1, pOne, qnan1, 0},
	{"nan", pOne, qnan1, qnan1, 0},
	{"nan", qnan1, qnan2, qnan2, 0},
	{"nan", qnan2, qnan1, qnan2, 0},
	{"nan", qnan1, nqnan1, qnan1, 0},
	{"nan", nqnan1, qnan1, qnan1, 0},
	{"nan", snan1, pOne, qnan1, IE},
	{"nan", pInf, snan1, qnan1, IE},
	{"nan", snan1, snan2, qnan2, IE},
	{"nan", snan2, snan1, qnan2, IE},
	{"nan", qnan1, snan2, qnan1, IE},
	{"nan", snan2, qnan1, qnan1, IE},
	{"nan", snan1, nqnan1, nqnan1, IE},
	{"nan", qnan1, tiny, qnan1, 0},
	{"nan", tiny, qnan1, qnan1, 0},
	{"nan", unnorm, pOne, def, IE},
	{"nan", qnan2, unnorm, def, IE},
	{"nan", badInf, qnan1, def, IE},
	{"nan", tiny, badNaN, def, IE},
}

var specialRows = []binaryRow{
	{"add", pInf, pInf, pInf, 0},
	{"add", pInf, nInf, def, IE},
	{"add", nInf, pOne, nInf, 0},
	{"add", tiny, pInf, pInf, DE},
	{"add", pZero, nZero, pZero, 0},
	{"add", nZero, nZero, nZero, 0},
	{"add", pOne, nOne, pZero, 0},
	{"add", pZero, tiny, tiny, DE},
	{"add", pZero, pseudo, F80{1<<63 | 1, 1}, DE},
	{"sub", pInf, pInf, def, IE},
	{"sub", pInf, nInf, pInf, 0},
	{"sub", pZero, pZero, pZero, 0},
	{"sub", nZero, pZero, nZero, 0},
	{"sub", pOne, nqnan1, nqnan1, 0},
	{"sub", pZero, pOne, nOne, 0},
	{"mul", pInf, nOne, nInf, 0},
	{"mul", pInf, pZero, def, IE},
	{"mul", nZero, nInf, def, IE},
	{"mul", tiny, pInf, pInf, DE},
	{"mul", nZero, tiny, nZero, DE},
	{"mul", tiny, tiny, pZero, DE | UE | PE},
	{"div", pInf, pInf, def, IE},
	{"div", pZero, nZero, def, IE},
	{"div", pOne, nZero, nInf, ZE},
	{"div", tiny, pZero, pInf, ZE},
	{"div", pInf, pZero, pInf, 0},
	{"div", pZero, tiny, pZero, DE},
	{"div", pInf, tiny, pInf, DE},
	{"div", tiny, nInf, nZero, DE},
	{"scale", pOne, pInf, pInf, 0},
	{"scale", nOne, nInf, nZero, 0},
	{"scale", pZero, pInf, def, IE},
	{"scale", pInf, nInf, def, IE},
	{"scale", pInf, pInf, pInf, 0},
	{"scale", nZero, nInf, nZero, 0},
	{"scale", nZero, pOne, nZero, 0},
	{"scale", tiny, pInf, pInf, DE},
	{"scale", pOne, F80{3 << 62, 0x3ffe}, pOne, 0},
	{"scale", pOne, F80{3 << 62, 0x3fff}, pTwo, 0},
	{"rem", pInf, pOne, def, IE},
	{"rem", pOne, nZero, def, IE},
	{"rem", nZero, pOne, nZero, 0},
	{"rem", nOne, pInf, nOne, 0},
	{"rem", nTwice(), pOne, nZero, 0},
	{"rem1", pInf, pOne, def, IE},
	{"rem1", nOne, nInf, nOne, 0},
	{"log", nOne, pOne, def, IE},
	{"log", nInf, pOne, def, IE},
	{"log", pZero, pZero, def, IE},
	{"log", pInf, nZero, def, IE},
	{"log", pOne, nInf, def, IE},
	{"log", pZero, nOne, pInf, ZE},
	{"log", nZero, pOne, nInf, ZE},
	{"log", pZero, pInf, nInf, 0},
	{"log", pInf, nOne, nInf, 0},
	{"log", pTwo, nInf, nInf, 0},
	{"log", F80{1 << 63, 0x3ffe}, pInf, nInf, 0},
	{"log", pOne, pTwo, pZero, 0},
	{"log", pOne, nOne, nZero, 0},
	{"log", pTwo, pTwo, pTwo, PE},
	{"log1p", pZero, pInf, def, IE},
	{"log1p", pInf, pZero, def, IE},
	{"log1p", nZero, pOne, nZero, 0},
	{"log1p", pOne, nZero, nZero, 0},
	{"log1p", pInf, nOne, nInf, 0},
	{"log1p", nInf, nOne, def, IE},
	{"log1p", nOne, pOne, def, IE},
	{"atan", pZero, pOne, pZero, 0},
	{"atan", nZero, pZero, nZero, 0},
	{"atan", pZero, nZero, F80{0xc90fdaa22168c235, 0x4000}, PE | C1},
	{"atan", nZero, nOne, F80{0xc90fdaa22168c235, 0xc000}, PE | C1},
	{"atan", pOne, pZero, F80{0xc90fdaa22168c235, 0x3fff}, PE | C1},
	{"atan", nOne, nZero, F80{0xc90fdaa22168c235, 0xbfff}, PE | C1},
	{"atan", pInf, pOne, F80{0xc90fdaa22168c235, 0x3fff}, PE | C1},
	{"atan", pInf, pInf, F80{0xc90fdaa22168c235, 0x3ffe}, PE | C1},
	{"atan", pInf, nInf, F80{0x96cbe3f9990e91a8, 0x4000}, PE | C1},
	{"atan", nOne, nInf, F80{0xc90fdaa22168c235, 0xc000}, PE | C1},
	{"atan", pOne, pInf, pZero, 0},
}

func nTwice() F80 { return pTwo.Neg() }

func (r binaryRow) run(e *Env) F80 {
	switch r.op {
	case "add":
		return e.Add80(r.a, r.b)
	case "sub":
		return e.Sub80(r.a, r.b)
	case "mul":
		return e.Mul80(r.a, r.b)
	case "div":
		return e.Div80(r.a, r.b)
	case "scale":
		return e.Scale80(r.a, r.b)
	case "rem":
		return e.Rem80(r.a, r.b, false).Value
	case "rem1":
		return e.Rem80(r.a, r.b, true).Value
	case "log":
		return e.Log80(r.a, r.b)
	case "log1p":
		return e.Log1p80(r.a, r.b)
	case "atan":
		return e.Atan80(r.a, r.b)
	}
	panic("no operation " + r.op)
}

func TestSpecial80(t *testing.T) {
	rows := specialRows
	for _, r := range nanRows {
		for _, op := range []string{"add", "sub", "mul", "div", "scale", "rem", "rem1", "log", "log1p", "atan"} {
			r.op = op
			rows = append(rows, r)
		}
	}
	for _, r := range rows {
		e := FromControl(0x37f)
		if got := r.run(&e); got != r.want || e.Flags != r.flags {
			t.Errorf("%s(%x, %x) = %x flags %x, want %x flags %x", r.op, r.a, r.b, got, e.Flags, r.want, r.flags)
		}
	}
}

func TestSpecialUnary80(t *testing.T) {
	first := func(f func(*Env, F80) (F80, bool)) func(*Env, F80) F80 {
		return func(e *Env, a F80) F80 { r, _ := f(e, a); return r }
	}
	ops := map[string]func(*Env, F80) F80{
		"sqrt":  (*Env).Sqrt80,
		"round": (*Env).RoundInt80,
		"exp":   (*Env).Exp80,
		"sin":   first((*Env).Sin80),
		"cos":   first((*Env).Cos80),
		"tan":   first((*Env).Tan80),
		"exponent": func(e *Env, a F80) F80 {
			r, _ := e.Extract80(a)
			return r
		},
		"significand": func(e *Env, a F80) F80 {
			_, r := e.Extract80(a)
			return r
		},
	}
	rows := []struct {
		op    string
		a     F80
		want  F80
		flags Flags
	}{
		{"sqrt", nZero, nZero, 0},
		{"sqrt", nOne, def, IE},
		{"sqrt", nInf, def, IE},
		{"sqrt", F80{1, 0x8000}, def, IE},
		{"sqrt", pInf, pInf, 0},
		{"round", nInf, nInf, 0},
		{"round", nZero, nZero, 0},
		{"exp", nZero, nZero, 0},
		{"exp", pOne, pOne, 0},
		{"exp", nOne, F80{1 << 63, 0xbffe}, 0},
		{"exp", pInf, pInf, 0},
		{"exp", nInf, nOne, 0},
		{"sin", nZero, nZero, 0},
		{"sin", pInf, def, IE},
		{"cos", nZero, pOne, 0},
		{"cos", nInf, def, IE},
		{"tan", nZero, nZero, 0},
		{"tan", pInf, def, IE},
		{"exponent", nInf, pInf, 0},
		{"significand", nInf, nInf, 0},
		{"exponent", nZero, nInf, ZE},
		{"significand", nZero, nZero, ZE},
		{"exponent", tiny, FromInt(-16445), DE},
		{"significand", tiny, pOne, DE},
	}
	for op := range ops {
		for _, c := range []struct {
			a, want F80
			flags   Flags
		}{
			{qnan1, qnan1, 0}, {snan1, qnan1, IE}, {unnorm, def, IE}, {badInf, def, IE}, {badNaN, def, IE},
		} {
			rows = append(rows, struct {
				op    string
				a     F80
				want  F80
				flags Flags
			}{op, c.a, c.want, c.flags})
		}
	}
	for _, r := range rows {
		e := FromControl(0x37f)
		if got := ops[r.op](&e, r.a); got != r.want || e.Flags != r.flags {
			t.Errorf("%s(%x) = %x flags %x, want %x flags %x", r.op, r.a, got, e.Flags, r.want, r.flags)
		}
	}
}

func TestCompareSpecial80(t *testing.T) {
	for _, r := range []struct {
		a, b            F80
		want            Relation
		ordered, quietF Flags
	}{
		{pZero, nZero, Equal, 0, 0},
		{pInf, pInf, Equal, 0, 0},
		{nInf, pInf, Less, 0, 0},
		{pInf, pOne, Greater, 0, 0},
		{pOne, qnan1, Unordered, IE, 0},
		{snan1, pOne, Unordered, IE, IE},
		{qnan1, snan1, Unordered, IE, IE},
		{unnorm, pOne, Unordered, IE, IE},
		{qnan1, badInf, Unordered, IE, IE},
		{tiny, qnan1, Unordered, IE, 0},
		{tiny, pZero, Greater, DE, DE},
		{pseudo, F80{1<<63 | 1, 1}, Equal, DE, DE},
	} {
		e := FromControl(0x37f)
		if got := e.Compare80(r.a, r.b, false); got != r.want || e.Flags != r.ordered {
			t.Errorf("FCOM(%x, %x) = %d flags %x", r.a, r.b, got, e.Flags)
		}
		e.Flags = 0
		if got := e.Compare80(r.a, r.b, true); got != r.want || e.Flags != r.quietF {
			t.Errorf("FUCOM(%x, %x) = %d flags %x", r.a, r.b, got, e.Flags)
		}
	}
}

func TestClass(t *testing.T) {
	for _, r := range []struct {
		a    F80
		want Class
	}{
		{pZero, ClassZero}, {nZero, ClassZero}, {pOne, ClassNormal}, {tiny, ClassDenormal}, {pseudo, ClassDenormal},
		{pInf, ClassInfinity}, {qnan1, ClassNaN}, {snan1, ClassNaN},
		{unnorm, ClassUnsupported}, {badInf, ClassUnsupported}, {badNaN, ClassUnsupported},
	} {
		if got := r.a.Class(); got != r.want {
			t.Errorf("class of %x = %d, want %d", r.a, got, r.want)
		}
	}
}
