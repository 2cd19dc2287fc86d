package standin

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

func addr(t *testing.T, n *Names, name string) netip.Addr {
	t.Helper()
	list, err := n.Lookup(context.Background(), name)
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %v, %v", name, list, err)
	}
	return list[0]
}

// TestNames: a name has one address and an address one name, within the prefix, and both
// are stable while they are used.
func TestNames(t *testing.T) {
	n := New()
	a, b := addr(t, n, "a.example"), addr(t, n, "b.example")
	if a == b || a != addr(t, n, "a.example") || n.Of(a) != "a.example" || n.Of(b) != "b.example" {
		t.Errorf("%v %q, %v %q", a, n.Of(a), b, n.Of(b))
	}
	for _, none := range []string{"198.18.0.0", "198.19.255.255", "10.0.2.2", "fd00::1"} {
		if got := n.Of(netip.MustParseAddr(none)); got != "" {
			t.Errorf("%s is %q", none, got)
		}
	}
}

// TestBound: more names than are remembered push out the one that was used least lately,
// and nobody gets the address of a name that is still known.
func TestBound(t *testing.T) {
	const most = 100
	prefix := netip.MustParsePrefix("198.18.0.0/24")
	n := newNames(prefix, most)
	kept, lost := addr(t, n, "kept.example"), addr(t, n, "lost.example")
	seen := map[netip.Addr]bool{kept: true, lost: true}
	for i := range 20 * most {
		a := addr(t, n, fmt.Sprint(i, ".example"))
		if !prefix.Contains(a) || a == kept || i < most && seen[a] {
			t.Fatalf("name %d gets %v", i, a)
		}
		seen[a] = true
		if n.Of(kept) != "kept.example" {
			t.Fatalf("after %d names a name in use is forgotten", i)
		}
		if i == most && n.Of(lost) != "" {
			t.Error("a name that nobody uses is kept")
		}
	}
	if n.used.Len() != most || len(n.byName) != most || len(n.byAddr) != most {
		t.Errorf("%d, %d, %d names are remembered", n.used.Len(), len(n.byName), len(n.byAddr))
	}
}
