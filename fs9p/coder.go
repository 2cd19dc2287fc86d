package fs9p

import "encoding/binary"

// headerLen is size[4] type[1] tag[2], which every message begins with.
const headerLen = 7

// ioHeaderLen is what stands before the data of Rread and Rreaddir: the header and count[4].
const ioHeaderLen = headerLen + 4

// A coder goes through the fields of one message body in wire order and
// either appends them to b or takes them from b[off:]; so each message is
// described once for both directions. 9P is little-endian; strings carry a
// 16-bit length. bad is set, and stays set, once a field does not fit.
type coder struct {
	b      []byte
	off    int
	append bool
	bad    bool
}

// take gives the next n bytes, or nil where fewer are left.
func (c *coder) take(n int) []byte {
	if n < 0 || len(c.b)-c.off < n {
		c.bad = true
		return nil
	}
	p := c.b[c.off : c.off+n : c.off+n]
	c.off += n
	return p
}

func (c *coder) u8(v *uint8) {
	if c.append {
		c.b = append(c.b, *v)
		return
	}
	if p := c.take(1); p != nil {
		*v = p[0]
	}
}

func (c *coder) u16(v *uint16) {
	if c.append {
		c.b = binary.LittleEndian.AppendUint16(c.b, *v)
		return
	}
	if p := c.take(2); p != nil {
		*v = binary.LittleEndian.Uint16(p)
	}
}

func (c *coder) u32(v *uint32) {
	if c.append {
		c.b = binary.LittleEndian.AppendUint32(c.b, *v)
		return
	}
	if p := c.take(4); p != nil {
		*v = binary.LittleEndian.Uint32(p)
	}
}

func (c *coder) u64(v *uint64) {
	if c.append {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
		return
	}
	if p := c.take(8); p != nil {
		*v = binary.LittleEndian.Uint64(p)
	}
}

func (c *coder) str(v *string) {
	if c.append {
		if len(*v) > 0xFFFF {
			c.bad = true
			return
		}
		n := uint16(len(*v))
		c.u16(&n)
		c.b = append(c.b, *v...)
		return
	}
	var n uint16
	c.u16(&n)
	if p := c.take(int(n)); p != nil {
		*v = string(p)
	}
}

// data is count[4] data[count]. What is decoded aliases the message.
func (c *coder) data(v *[]byte) {
	if c.append {
		n := uint32(len(*v))
		c.u32(&n)
		c.b = append(c.b, *v...)
		return
	}
	var n uint32
	c.u32(&n)
	if c.bad || uint64(n) > uint64(len(c.b)) {
		c.bad = true
		return
	}
	*v = c.take(int(n))
}

func (c *coder) qid(v *QID) {
	c.u8(&v.Type)
	c.u32(&v.Version)
	c.u64(&v.Path)
}

// time is sec[8] nsec[8].
func (c *coder) time(v *Timespec) {
	sec, nsec := uint64(v.Sec), uint64(v.Nsec)
	c.u64(&sec)
	c.u64(&nsec)
	if !c.append {
		*v = Timespec{Sec: int64(sec), Nsec: uint32(min(nsec, 999999999))}
	}
}
