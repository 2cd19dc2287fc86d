package wasm

// Instructions on vectors of 128 bits (WebAssembly Core Specification 2.0, 5.4.8), by
// the number behind their prefix.
const (
	vLoad    = 0x00
	vStore   = 0x0b
	vConst   = 0x0c
	vShuffle = 0x0d

	vEq8  = 0x23
	vGt8  = 0x27
	vEq16 = 0x2d
	vGt16 = 0x31
	vEq32 = 0x37
	vGt32 = 0x3b

	vAnd    = 0x4e
	vAndNot = 0x4f // the first, and the second inverted
	vOr     = 0x50
	vXor    = 0x51

	vMask8      = 0x64
	vNarrowS8   = 0x65
	vNarrowU8   = 0x66
	vAdd8       = 0x6e
	vAddSatS8   = 0x6f
	vAddSatU8   = 0x70
	vSub8       = 0x71
	vSubSatS8   = 0x72
	vSubSatU8   = 0x73
	vMinU8      = 0x77
	vMaxU8      = 0x79
	vAverageU8  = 0x7b
	vNarrowS16  = 0x85
	vShl16      = 0x8b
	vShrS16     = 0x8c
	vShrU16     = 0x8d
	vAdd16      = 0x8e
	vAddSatS16  = 0x8f
	vAddSatU16  = 0x90
	vSub16      = 0x91
	vSubSatS16  = 0x92
	vSubSatU16  = 0x93
	vMul16      = 0x95
	vMinS16     = 0x96
	vMaxS16     = 0x98
	vAverageU16 = 0x9b
	vMask32     = 0xa4
	vShl32      = 0xab
	vShrS32     = 0xac
	vShrU32     = 0xad
	vAdd32      = 0xae
	vSub32      = 0xb1
	vDot16      = 0xba
	vMask64     = 0xc4
	vShl64      = 0xcb
	vShrU64     = 0xcd
	vAdd64      = 0xce
	vSub64      = 0xd1
)

func (a *asm) vector(op uint32) {
	a.op(opVector)
	a.u(op)
}

// vectorMem appends a load or a store at a constant offset.
func (a *asm) vectorMem(op, off uint32) {
	a.vector(op)
	a.op(0)
	a.u(off)
}

// vectorConst appends a constant of which all bytes are the same.
func (a *asm) vectorConst(b byte) {
	a.vector(vConst)
	for range 16 {
		a.op(b)
	}
}
