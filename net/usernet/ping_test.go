package usernet

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestHostPing(t *testing.T) {
	err := hostPing(patience, loopbackIP)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("not here: the host has no unprivileged ICMP sockets (net.ipv4.ping_group_range); TestHostPingNamespace has")
	}
	if runtime.GOOS == "js" {
		t.Skipf("not here: the host has no ICMP sockets: %v", err)
	}
	if err != nil {
		t.Errorf("the host's own address does not answer: %v", err)
	}
	if err := hostPing(20*time.Millisecond, netip.MustParseAddr("203.0.113.77")); err == nil {
		t.Error("an address for documentation answers")
	}
}

// hostPing is HostPing that gives up after a time.
func hostPing(d time.Duration, addr netip.Addr) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return HostPing(ctx, addr, []byte("hello"))
}
