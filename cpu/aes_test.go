package cpu

import (
	"crypto/aes"
	"math/rand/v2"
	"testing"
)

// aesVM runs the AES instructions on values: XMM1 is the destination, XMM2 the
// source.
type aesVM struct {
	*CPU
	t *testing.T
}

func (c aesVM) do(op byte, d, s xmm) xmm {
	c.t.Helper()
	c.FPU.XMM[1], c.FPU.XMM[2] = d, s
	if st := c.execute1(c.t, 0x66, 0x0f, 0x38, op, 0xca); st != next {
		c.t.Fatalf("status %d", st)
	}
	return c.FPU.XMM[1]
}

// key expands a key of 16 bytes as programs do (FIPS 197, 5.2).
func (c aesVM) key(k xmm) (keys [11]xmm) {
	c.t.Helper()
	keys[0] = k
	rcon := byte(1)
	for i := 1; i < len(keys); i++ {
		c.FPU.XMM[2] = keys[i-1]
		c.execute1(c.t, 0x66, 0x0f, 0x3a, 0xdf, 0xca, rcon)
		w := uint32(c.FPU.XMM[1][1] >> 32)
		rcon = times(rcon, 2)
		for j := range uint32(4) {
			w ^= pick(keys[i-1][0], keys[i-1][1], j)
			setDword((*[2]uint64)(&keys[i]), j, w)
		}
	}
	return keys
}

func xorXMMs(a, b xmm) xmm { return xmm{a[0] ^ b[0], a[1] ^ b[1]} }

// TestAES encrypts and decrypts blocks with the instructions and wants what Go's
// cipher makes of them.
func TestAES(t *testing.T) {
	c := aesVM{newSSE(t), t}
	r := rand.New(rand.NewPCG(17, 18))
	for range 50 {
		key, plain := operand16(r), operand16(r)
		cipher, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 16)
		cipher.Encrypt(want, plain)
		keys := c.key(to128(key))
		v := xorXMMs(to128(plain), keys[0])
		for i := 1; i < 10; i++ {
			v = c.do(0xdc, v, keys[i])
		}
		if v = c.do(0xdd, v, keys[10]); v != to128(want) {
			t.Fatalf("encrypted: %x, want %x", v, want)
		}
		v = xorXMMs(v, keys[10])
		for i := 9; i > 0; i-- {
			v = c.do(0xde, v, c.do(0xdb, xmm{}, keys[i]))
		}
		if v = c.do(0xdf, v, keys[0]); v != to128(plain) {
			t.Fatalf("decrypted: %x, want %x", v, plain)
		}
	}
}

// TestKeyGenAssist: dwords 1 and 3 are substituted, and once more rotated, with the
// constant added. The values of the S-box are those of FIPS 197, figure 7.
func TestKeyGenAssist(t *testing.T) {
	c := newSSE(t)
	c.FPU.XMM[1], c.FPU.XMM[2] = xmm{1, 2}, xmm{0xff53010099999999, 0x0053ff0199999999}
	c.execute1(t, 0x66, 0x0f, 0x3a, 0xdf, 0xca, 0x36)
	if want := (xmm{0x6316ed7c<<32 ^ 0x36<<32 | 0x16ed7c63, 0x7c63ed16<<32 ^ 0x36<<32 | 0x63ed167c}); c.FPU.XMM[1] != want {
		t.Errorf("%x, want %x", c.FPU.XMM[1], want)
	}
}
