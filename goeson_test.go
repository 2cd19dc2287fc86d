package alpinevm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// goesOnScript has things under way when it reads a line, and looks at them behind
// that. $1 is a port of the host.
const goesOnScript = `complaints() { dmesg | grep -iE 'stall|hung|lockup|unstable|BUG:|WARNING:|jump'; }
stty -echo; mkfifo /tmp/pipe; sleep 10000 >/tmp/pipe &
udhcpc -f -i eth0 -s /bin/true 2>/tmp/dhcp & dhcp=$!
until grep -q obtained /tmp/dhcp; do sleep 0.1; done
nc 10.0.2.2 $1 </tmp/pipe >/tmp/flow &
until grep -q . /tmp/flow; do sleep 0.1; done
echo text >/root/f; exec 5>>/root/f 6</root/f; flock 5; rm /root/f
nc -lk -p 7 -e echo hello &
sleep 1000 & timer=$!
complaints >/tmp/before; echo ready; read line
stty size
kill -USR1 $dhcp; until [ $(grep -c obtained /tmp/dhcp) -ge 2 ]; do sleep 0.1; done; echo renewed
while grep -q :0202000A /proc/net/tcp || grep -q 0202000A: /proc/net/tcp; do sleep 0.1; done; cat /tmp/flow
echo more >&5; cat <&6; kill $timer && echo sleeps; nc 127.0.0.1 7 </dev/null
complaints >/tmp/after; cmp /tmp/before /tmp/after && echo quiet || dmesg
cat /proc/net/route | grep -c eth0; date +%s; echo end`

// TestGoesOn: what a guest has under way when it is saved is so in a machine that
// goes on from there: leases, sockets that listen, files without a name, timers. Its
// terminal has the new size, its connections are reset, its kernel has nothing to
// complain of and its date is right.
func TestGoesOn(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	port := serveTCP(t, func(c *net.TCPConn) {
		io.WriteString(c, "connected\n")
		<-held
	})
	cfg := networkConfig(t, "")
	cfg.Memory, cfg.Session.Args = MinMemory, []string{"/bin/sh", "-c", goesOnScript, "sh", strconv.Itoa(port)}
	cfg = fileConfig(cfg, guesttest.Root(t, nil))
	g := newTraveller(t, cfg, true)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(liveTime)
	var s *Snapshot
	for s == nil {
		status, _ := g.Step()
		if time.Now().After(late) || status == Ended {
			t.Fatalf("the guest is not ready: %q; %s", g.terminal.String(), g.describe())
		}
		if status != Idle || !strings.Contains(g.terminal.String(), "ready") {
			continue
		}
		var err error
		if s, err = g.Capture(); err != nil && !errors.Is(err, ErrNotQuiet) {
			t.Fatal(err)
		}
	}
	defer s.Close()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	cfg = fileConfig(cfg, savedRoot(t, s))
	next := &guest{t: t}
	var shown buffer
	cfg.Consoles.Terminal = &Terminal{In: strings.NewReader("go on\n"), Out: &shown, Cols: 77, Rows: 33}
	var err error
	if next.Machine, err = s.Clone(cfg); err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	ctx, cancel := context.WithTimeout(t.Context(), liveTime)
	defer cancel()
	if _, err := next.Run(ctx); err != nil {
		t.Fatalf("%v: %q", err, shown.String())
	}
	got := strings.Fields(shown.String())
	want := strings.Fields("33 77 renewed connected text more sleeps hello quiet 2")
	if len(got) < len(want)+2 || strings.Join(got[:len(want)], " ") != strings.Join(want, " ") {
		t.Fatalf("the guest has printed %q, want %q, the date and end", got, want)
	}
	if date, err := strconv.ParseInt(got[len(want)], 10, 64); err != nil || date > time.Now().Unix()+1 || date < time.Now().Add(-liveTime).Unix() {
		t.Error(fmt.Sprint("its date is ", date, ", and ours ", time.Now().Unix()))
	}
}
