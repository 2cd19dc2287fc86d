package wasm

// asm appends the instructions of a function (WebAssembly Core Specification 2.0,
// 5.4).
type asm struct{ b []byte }

// Opcodes, those that are used.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22

	opI32Load    = 0x28
	opI64Load    = 0x29
	opI32Load8S  = 0x2c
	opI32Load8U  = 0x2d
	opI32Load16S = 0x2e
	opI32Load16U = 0x2f
	opF32Load    = 0x2a
	opF64Load    = 0x2b
	opI32Store   = 0x36
	opI64Store   = 0x37
	opF32Store   = 0x38
	opF64Store   = 0x39
	opI32Store8  = 0x3a
	opI32Store16 = 0x3b

	opI32Const = 0x41
	opI64Const = 0x42
	opF32Const = 0x43
	opF64Const = 0x44

	opI32Eqz = 0x45
	opI32Eq  = 0x46
	opI32Ne  = 0x47
	opI32LtS = 0x48
	opI32LtU = 0x49
	opI32GtU = 0x4b
	opI32LeS = 0x4c
	opI32LeU = 0x4d
	opI64Eqz = 0x50
	opI64Eq  = 0x51
	opI64Ne  = 0x52
	opI64LtU = 0x54

	opF32Eq = 0x5b
	opF32Ne = 0x5c
	opF32Lt = 0x5d
	opF32Gt = 0x5e
	opF32Le = 0x5f
	opF32Ge = 0x60
	opF64Eq = 0x61
	opF64Ne = 0x62
	opF64Lt = 0x63
	opF64Gt = 0x64
	opF64Le = 0x65
	opF64Ge = 0x66

	opI32Clz    = 0x67
	opI32Ctz    = 0x68
	opI32Popcnt = 0x69
	opI32Add    = 0x6a
	opI32Sub    = 0x6b
	opI32Mul    = 0x6c
	opI32And    = 0x71
	opI32Or     = 0x72
	opI32Xor    = 0x73
	opI32Shl    = 0x74
	opI32ShrS   = 0x75
	opI32ShrU   = 0x76
	opI32Rotl   = 0x77
	opI32Rotr   = 0x78

	opI64DivS = 0x7f
	opI64DivU = 0x80
	opI64RemS = 0x81
	opI64RemU = 0x82
	opI64Mul  = 0x7e
	opI64Or   = 0x84
	opI64Shl  = 0x86
	opI64ShrU = 0x88

	opF32Abs     = 0x8b
	opF32Nearest = 0x90
	opF32Sqrt    = 0x91
	opF32Add     = 0x92
	opF32Sub     = 0x93
	opF32Mul     = 0x94
	opF32Div     = 0x95
	opF64Abs     = 0x99
	opF64Nearest = 0x9e
	opF64Sqrt    = 0x9f
	opF64Add     = 0xa0
	opF64Sub     = 0xa1
	opF64Mul     = 0xa2
	opF64Div     = 0xa3

	opI32TruncF32   = 0xa8
	opI32TruncF64   = 0xaa
	opF32ConvertI32 = 0xb2
	opF32DemoteF64  = 0xb6
	opF64ConvertI32 = 0xb7
	opF64PromoteF32 = 0xbb

	opI32WrapI64   = 0xa7
	opI64ExtendI32 = 0xac // signed
	opI64ExtendU32 = 0xad
	opI32Extend8S  = 0xc0
	opI32Extend16S = 0xc1

	opVector   = 0xfd // in front of those of simd.go
	opBulk     = 0xfc // in front of the two below
	memoryCopy = 0x0a
	memoryFill = 0x0b

	typeI32   = 0x7f
	typeI64   = 0x7e
	typeF32   = 0x7d
	typeF64   = 0x7c
	typeV128  = 0x7b
	typeVoid  = 0x40
	typeFuncs = 0x70
	typeFunc  = 0x60
)

// What appends stands in one place each: inlined in a thousand places it would be a
// fortieth of a page's program.
//
//go:noinline
func (a *asm) op(ops ...byte) { a.b = append(a.b, ops...) }

// u appends an unsigned number in LEB128, s a signed one.
//
//go:noinline
func (a *asm) u(v uint32) {
	for v >= 0x80 {
		a.b = append(a.b, byte(v)|0x80)
		v >>= 7
	}
	a.b = append(a.b, byte(v))
}

//go:noinline
func (a *asm) s(v int64) {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			a.b = append(a.b, c)
			return
		}
		a.b = append(a.b, c|0x80)
	}
}

func (a *asm) get(l local) { a.op(opLocalGet); a.u(uint32(l)) }
func (a *asm) set(l local) { a.op(opLocalSet); a.u(uint32(l)) }
func (a *asm) tee(l local) { a.op(opLocalTee); a.u(uint32(l)) }

// i32 appends a constant.
func (a *asm) i32(v uint32) { a.op(opI32Const); a.s(int64(int32(v))) }

func (a *asm) i64(v int64) { a.op(opI64Const); a.s(v) }

// with appends an operation with a constant as its second operand.
func (a *asm) with(op byte, v uint32) {
	a.i32(v)
	a.op(op)
}

// mem appends a load or a store at a constant offset from the address that is its
// operand. No alignment is promised.
func (a *asm) mem(op byte, off uint32) {
	a.op(op, 0)
	a.u(off)
}

// bulk appends an operation on stretches of the memories that are named.
func (a *asm) bulk(op byte, memories ...byte) {
	a.op(opBulk, op)
	a.op(memories...)
}

func (a *asm) br(depth int)   { a.op(opBr); a.u(uint32(depth)) }
func (a *asm) brIf(depth int) { a.op(opBrIf); a.u(uint32(depth)) }
