package cputest

import (
	"encoding/binary"

	"alpinevm/cpu"
)

// Offsets in an FXSAVE image (SDM vol. 1, table 10-2).
const (
	fxCW    = 0
	fxSW    = 2
	fxTag   = 4
	fxFOP   = 6
	fxFIP   = 8
	fxFCS   = 12
	fxFDP   = 16
	fxFDS   = 20
	fxMXCSR = 24
	fxMask  = 28
	fxST    = 32
	fxXMM   = 160
	fxRest  = 288
)

// loadFX sets x87 and SSE state from an FXSAVE image.
func loadFX(f *cpu.FPU, fx *[512]byte) {
	le := binary.LittleEndian
	f.CW, f.SW, f.Used = le.Uint16(fx[fxCW:]), le.Uint16(fx[fxSW:]), fx[fxTag]
	f.FOP = le.Uint16(fx[fxFOP:])
	f.FIP, f.FCS = le.Uint32(fx[fxFIP:]), le.Uint16(fx[fxFCS:])
	f.FDP, f.FDS = le.Uint32(fx[fxFDP:]), le.Uint16(fx[fxFDS:])
	f.MXCSR = le.Uint32(fx[fxMXCSR:])
	top := f.SW >> 11
	for i := range 8 {
		r := (top + uint16(i)) & 7
		f.Mant[r] = le.Uint64(fx[fxST+16*i:])
		f.SE[r] = le.Uint16(fx[fxST+16*i+8:])
		f.XMM[i] = [2]uint64{le.Uint64(fx[fxXMM+16*i:]), le.Uint64(fx[fxXMM+16*i+8:])}
	}
}

// storeFX makes an FXSAVE image of x87 and SSE state.
func storeFX(f *cpu.FPU, fx *[512]byte) {
	le := binary.LittleEndian
	le.PutUint16(fx[fxCW:], f.CW)
	le.PutUint16(fx[fxSW:], f.SW)
	fx[fxTag] = f.Used
	le.PutUint16(fx[fxFOP:], f.FOP)
	le.PutUint32(fx[fxFIP:], f.FIP)
	le.PutUint16(fx[fxFCS:], f.FCS)
	le.PutUint32(fx[fxFDP:], f.FDP)
	le.PutUint16(fx[fxFDS:], f.FDS)
	le.PutUint32(fx[fxMXCSR:], f.MXCSR)
	top := f.SW >> 11
	for i := range 8 {
		r := (top + uint16(i)) & 7
		le.PutUint64(fx[fxST+16*i:], f.Mant[r])
		le.PutUint16(fx[fxST+16*i+8:], f.SE[r])
		le.PutUint64(fx[fxXMM+16*i:], f.XMM[i][0])
		le.PutUint64(fx[fxXMM+16*i+8:], f.XMM[i][1])
	}
}
