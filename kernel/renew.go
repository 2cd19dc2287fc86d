package kernel

import (
	"encoding/binary"
	"math"
)

// Renew is what a guest that goes on from a snapshot cannot know: the host has its Image in the control file system, as a job that looks
// after no program.
type Renew struct {
	Folder               string   // in the control file system: when all is done something is written to its JobEnd; empty: nobody is told
	Seconds, Nanoseconds int64    // the date, since 1970
	Seed                 []byte   // random bytes, up to MaxSeed
	Hostname             string   // empty: as it was
	MAC                  *[6]byte // of eth0; nil: as it was
}

// MaxSeed is how many random bytes a Renew has at most.
const MaxSeed = 512

// More of Linux's numbers (include/uapi/linux: random.h, sockios.h, if.h, if_arp.h, time.h).
const (
	callSethostname  = 74
	callClockSettime = 264
	callSocket       = 359 // Linux 4.3
	callClockSet64   = 404 // Linux 5.1
	clockRealtime    = 0
	rndAddEntropy    = 0x40085203
	rndReseed        = 0x5207 // Linux 4.17
	familyInet       = 2
	socketDatagram   = 2
	siocSetHWAddr    = 0x8924
	ifNameSize       = 16
	ifReqSize        = 32
	hardwareEther    = 1
)

// Image is the program.
func (r *Renew) Image() []byte {
	c := newCaller()
	le := binary.LittleEndian
	start := c.here()
	fd := c.room(4)
	if r.Seconds <= math.MaxInt32 {
		c.try(callClockSettime, clockRealtime, arg(c.words(uint32(r.Seconds), uint32(r.Nanoseconds))))
	}
	when := le.AppendUint64(le.AppendUint64(nil, uint64(r.Seconds)), uint64(r.Nanoseconds))
	c.try(callClockSet64, clockRealtime, arg(c.place(when)))
	if seed := r.Seed[:min(len(r.Seed), MaxSeed)]; len(seed) > 0 {
		pool := le.AppendUint32(le.AppendUint32(nil, uint32(8*len(seed))), uint32(len(seed))) // struct rand_pool_info
		c.try(callOpen, arg(c.text("/dev/urandom")), openBoth).to = fd
		c.try(callIoctl, at(fd), rndAddEntropy, arg(c.place(append(pool, seed...))))
		c.try(callIoctl, at(fd), rndReseed, 0)
		c.try(callClose, at(fd))
	}
	if r.Hostname != "" {
		c.try(callSethostname, arg(c.text(r.Hostname)), arg(len(r.Hostname)))
	}
	if r.MAC != nil {
		request := make([]byte, ifReqSize)
		copy(request, "eth0")
		le.PutUint16(request[ifNameSize:], hardwareEther)
		copy(request[ifNameSize+2:], r.MAC[:])
		c.try(callSocket, familyInet, socketDatagram, 0).to = fd
		c.try(callIoctl, at(fd), siocSetHWAddr, arg(c.place(request)))
	}
	if r.Folder != "" {
		c.try(callOpen, arg(c.text(r.Folder+"/"+JobEnd)), openWrite).to = fd
		c.try(callWrite, at(fd), arg(c.words(0)), 1)
	}
	c.exit(0)
	return c.image(start)
}
