package usernet

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// pace holds one direction of all flows together to a rate. The zero pace holds up
// nothing.
type pace struct {
	bucket *rate.Limiter
	chunk  int // bytes that a stream passes on at a time
}

// leastChunk is what a slow stream passes on at a time.
const leastChunk = 1 << 10

// newPace is a pace of perSecond bytes, 0 for none.
func newPace(perSecond int64) pace {
	if perSecond <= 0 {
		return pace{}
	}
	// The bucket holds a tenth of a second, but a datagram at least.
	burst := int(min(max(perSecond/10, largestIPv4), 1<<30))
	return pace{rate.NewLimiter(rate.Limit(perSecond), burst), int(min(max(perSecond/10, leastChunk), largestIPv4))}
}

// wait returns when n bytes may pass, or with an error when ctx ends.
func (p pace) wait(ctx context.Context, n int) error {
	if p.bucket == nil || n == 0 {
		return nil
	}
	return p.bucket.WaitN(ctx, n)
}

// allow says whether n bytes may pass now.
func (p pace) allow(n int) bool { return p.bucket == nil || p.bucket.AllowN(time.Now(), n) }

// cut is as much of buf as is to be read at a time.
func (p pace) cut(buf []byte) []byte {
	if p.bucket != nil && len(buf) > p.chunk {
		return buf[:p.chunk]
	}
	return buf
}
