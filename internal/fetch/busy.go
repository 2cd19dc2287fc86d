package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds of the pauses that a server may ask for, together and in number.
const (
	maxWait  = 30 * time.Second
	maxWaits = 5
)

// mayWait tells how long a server wants us to wait that has too much to do, if
// that is bearable and the request can be made again.
func (c *Client) mayWait(r *http.Request, resp *http.Response, left time.Duration, tries int) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	d, ok := RetryAfter(resp.Header)
	if !ok || r.Body != nil && r.Body != http.NoBody {
		return 0, false
	}
	if d > left || tries == maxWaits {
		c.later.Store(max(c.later.Load(), int64(d)))
		return 0, false
	}
	return d, true
}

// Later is the longest pause that a server has asked for and that was not made,
// 0 if there was none.
func (c *Client) Later() time.Duration { return time.Duration(c.later.Load()) }

// RetryAfter reads the header of that name: seconds, or a date (RFC 9110
// 10.2.3), which counts from the server's own date where it says that.
func RetryAfter(h http.Header) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0), true
}
