package wasm

// Instructions on vectors of 128 bits (WebAssembly Core Specification 2.0, 5.4.8), by
// the number behind their prefix.
const (
	vLoad      = 0x00
	vStore     = 0x0b
	vConst     = 0x0c
	vShuffle   = 0x0d
	vSwizzle   = 0x0e // bytes of the first that the second names, or 0
	vSplat64   = 0x12
	vLoad32    = 0x5c // with zeros above
	vLoad64    = 0x5d
	vStoreLow  = 0x5b // a lane of 64 bits, of which the number follows
	vAnyTrue   = 0x53
	vBitSelect = 0x52 // of the first where the third has ones, else of the second

	vEq8  = 0x23
	vGt8  = 0x27
	vEq16 = 0x2d
	vGt16 = 0x31
	vEq32 = 0x37
	vGt32 = 0x3b
	vEq64 = 0xd6
	vGt64 = 0xd9

	vNot    = 0x4d
	vAnd    = 0x4e
	vAndNot = 0x4f // the first, and the second inverted
	vOr     = 0x50
	vXor    = 0x51

	vAbs8         = 0x60
	vMask8        = 0x64
	vNarrowS8     = 0x65
	vNarrowU8     = 0x66
	vShl8         = 0x6b
	vShrS8        = 0x6c
	vAdd8         = 0x6e
	vAddSatS8     = 0x6f
	vAddSatU8     = 0x70
	vSub8         = 0x71
	vSubSatS8     = 0x72
	vSubSatU8     = 0x73
	vMinS8        = 0x76
	vMinU8        = 0x77
	vMaxS8        = 0x78
	vMaxU8        = 0x79
	vAverageU8    = 0x7b
	vPairs8U      = 0x7d // sums of neighbours, twice as wide
	vPairs16U     = 0x7f
	vAbs16        = 0x80
	vNarrowS16    = 0x85
	vNarrowU16    = 0x86
	vWiden8S      = 0x87 // the lower half of the lanes
	vWiden8U      = 0x89
	vShl16        = 0x8b
	vShrS16       = 0x8c
	vShrU16       = 0x8d
	vAdd16        = 0x8e
	vAddSatS16    = 0x8f
	vAddSatU16    = 0x90
	vSub16        = 0x91
	vSubSatS16    = 0x92
	vSubSatU16    = 0x93
	vMul16        = 0x95
	vMinS16       = 0x96
	vMinU16       = 0x97
	vMaxS16       = 0x98
	vMaxU16       = 0x99
	vAverageU16   = 0x9b
	vAbs32        = 0xa0
	vMask32       = 0xa4
	vWiden16S     = 0xa7
	vWiden16U     = 0xa9
	vShl32        = 0xab
	vShrS32       = 0xac
	vShrU32       = 0xad
	vAdd32        = 0xae
	vSub32        = 0xb1
	vMul32        = 0xb5
	vMinS32       = 0xb6
	vMinU32       = 0xb7
	vMaxS32       = 0xb8
	vMaxU32       = 0xb9
	vDot16        = 0xba
	vProductLowS  = 0xbc // of lanes of 16 bits, twice as wide
	vProductHighS = 0xbd
	vProductLowU  = 0xbe
	vProductHighU = 0xbf
	vMask64       = 0xc4
	vWiden32S     = 0xc7
	vWiden32U     = 0xc9
	vShl64        = 0xcb
	vShrS64       = 0xcc
	vShrU64       = 0xcd
	vAdd64        = 0xce
	vSub64        = 0xd1
	vProduct32S   = 0xdc // of the lower lanes of 32 bits
	vProduct32U   = 0xde
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

// vectorShuffle appends a choice of bytes of the two vectors on the stack.
func (a *asm) vectorShuffle(l lanes) {
	a.vector(vShuffle)
	for _, from := range l {
		a.op(min(from, 31))
	}
}

// Those of floating point.
const (
	vEqF32 = 0x41
	vNeF32 = 0x42
	vLtF32 = 0x43
	vGtF32 = 0x44
	vLeF32 = 0x45
	vGeF32 = 0x46
	vEqF64 = 0x47
	vNeF64 = 0x48
	vLtF64 = 0x49
	vGtF64 = 0x4a
	vLeF64 = 0x4b
	vGeF64 = 0x4c

	vNearestF32 = 0x6a
	vNearestF64 = 0x94
	vAbsF32     = 0xe0
	vSqrtF32    = 0xe3
	vAddF32     = 0xe4
	vSubF32     = 0xe5
	vMulF32     = 0xe6
	vDivF32     = 0xe7
	vAbsF64     = 0xec
	vSqrtF64    = 0xef
	vAddF64     = 0xf0
	vSubF64     = 0xf1
	vMulF64     = 0xf2
	vDivF64     = 0xf3

	vSinglesOfDoubles = 0x5e // with zeros above
	vDoublesOfSingles = 0x5f // of the lower two
	vIntsOfSingles    = 0xf8
	vSinglesOfInts    = 0xfa
	vIntsOfDoubles    = 0xfc // with zeros above
	vDoublesOfInts    = 0xfe // of the lower two
)
