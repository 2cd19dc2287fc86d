package alpinevm

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/internal/guesttest"
	"alpinevm/net/usernet"
)

// serveTFTP serves data to every read request at a port of the host's loopback, each
// from a port of its own (RFC 1350, 4).
func serveTFTP(t *testing.T, data []byte) netip.AddrPort {
	const (
		readRequest = 1
		block       = 3
		size        = 512
	)
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	transfer := func(to net.Addr) {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		stop := context.AfterFunc(t.Context(), func() { c.Close() })
		defer stop()
		ack := make([]byte, 100)
		for i := 0; i <= len(data)/size; i++ {
			b := binary.BigEndian.AppendUint16([]byte{0, block}, uint16(i+1))
			c.WriteTo(append(b, data[i*size:min((i+1)*size, len(data))]...), to)
			if _, _, err := c.ReadFrom(ack); err != nil {
				return
			}
		}
	}
	go func() {
		buf := make([]byte, 1000)
		for {
			n, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 2 && buf[1] == readRequest {
				go transfer(from)
			}
		}
	}()
	return p.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestDatagrams has a guest fetch a file by TFTP, whose server answers from another
// port than the one that was asked, and send echo requests that take many packets,
// to the gateway and to the world outside.
func TestDatagrams(t *testing.T) {
	t.Parallel()
	data, sum := pattern(10_000)
	server := serveTFTP(t, data)
	cfg := networkConfig(t, fmt.Sprintf(`
exec 2>&1
/tftp -g -r data -l /tmp/data 10.0.2.2 %d && sha1sum </tmp/data
for size in 3000 65507; do
	for to in 10.0.2.2 1.2.3.4; do ping -c 1 -s $size $to | grep -o '^[0-9]* bytes from.*: \|.*received'; done
done
exit 0
`, server.Port()))
	// Alpine's own busybox has no tftp.
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fs9p.WriteFile(cfg.Session.Root, "tftp", busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg.Network.Datagrams = usernet.HostDatagrams{}
	cfg.Network.Ping = func(_ context.Context, addr netip.Addr, payload []byte) error {
		if len(payload) != 3000 && len(payload) != 65507 {
			return fmt.Errorf("%d bytes for %v", len(payload), addr)
		}
		return nil
	}
	g := newGuest(t, cfg)
	g.want(g.live(), Exited, 0)
	want := []string{sum + "  -"}
	for _, size := range []int{3008, 65515} {
		for _, to := range []string{"10.0.2.2", "1.2.3.4"} {
			want = append(want, fmt.Sprintf("%d bytes from %s: ", size, to), "1 packets transmitted, 1 packets received")
		}
	}
	if got := lines(g.stdout.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("output:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
