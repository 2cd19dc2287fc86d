package usernet

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestHostPing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := HostPing(ctx, loopbackIP, []byte("hello"))
	if errors.Is(err, os.ErrPermission) {
		t.Skip("not here: the host has no unprivileged ICMP sockets (net.ipv4.ping_group_range)")
	}
	if err != nil {
		t.Errorf("the host's own address does not answer: %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := HostPing(short, netip.MustParseAddr("203.0.113.77"), nil); err == nil {
		t.Error("an address for documentation answers")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v to give up", d)
	}
}
