package launch

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestHostDNS(t *testing.T) {
	dir := t.TempDir()
	resolv, hosts := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	dns, err := hostDNS(resolv, hosts, openFile)
	if err != nil || len(dns.Servers) != 0 || dns.Lookup == nil {
		t.Errorf("a host without files: %+v, %v", dns, err)
	}
	os.WriteFile(resolv, []byte("search example.org\nnameserver 192.0.2.1\n"), 0o600)
	os.WriteFile(hosts, []byte("192.0.2.7 seven\n"), 0o600)
	dns, err = hostDNS(resolv, hosts, openFile)
	if err != nil || len(dns.Servers) != 1 || len(dns.Hosts["seven"]) != 1 || dns.Search[0] != "example.org" {
		t.Errorf("%+v, %v", dns, err)
	}
	if _, err := hostDNS(dir, hosts, openFile); err == nil {
		t.Error("a folder was read as resolv.conf")
	}
}

// TestResolvers: a file that changes is read again, one that goes is remembered.
func TestResolvers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "resolv.conf")
	r := &resolvers{name: name, open: openFile}
	for _, step := range []struct{ write, want string }{
		{"", "[]"},
		{"nameserver 192.0.2.1\n", "[192.0.2.1:53]"},
		{"nameserver 192.0.2.2\nnameserver 192.0.2.3\n", "[192.0.2.2:53 192.0.2.3:53]"},
		{"remove", "[192.0.2.2:53 192.0.2.3:53]"},
		{"# none\n", "[]"},
	} {
		switch step.write {
		case "":
		case "remove":
			os.Remove(name)
		default:
			os.WriteFile(name, []byte(step.write), 0o600)
		}
		r.looked = time.Time{}
		if got := fmt.Sprint(r.current()); got != step.want {
			t.Errorf("after %q: %s, want %s", step.write, got, step.want)
		}
	}
}

// TestHostNames: the names of the host are the guest's only where it is asked for.
func TestHostNames(t *testing.T) {
	n, err := HostNetwork(false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n.DNS.Hosts != nil || n.DNS.Search != nil || n.HostNetworks == nil {
		t.Errorf("%+v", n)
	}
	if _, err := n.HostNetworks(); err != nil {
		t.Error(err)
	}
}

// TestWayOut: the host's way out is looked for again, and not at every name.
func TestWayOut(t *testing.T) {
	var err error
	asked := 0
	w := &wayOut{dial: func(network, address string) (net.Conn, error) {
		if asked++; network != "udp6" {
			t.Errorf("dialed %s %s", network, address)
		}
		c, peer := net.Pipe()
		peer.Close()
		return c, err
	}}
	for i, step := range []error{nil, syscall.ENETUNREACH, nil} {
		err, w.looked = step, time.Time{}
		if got := w.open(); got != (step == nil) || asked != i+1 {
			t.Errorf("%v: %v, asked %d times", step, got, asked)
		}
		w.looked = time.Now().Add(time.Hour) // the host is slow today
		if got := w.open(); got != (step == nil) || asked != i+1 {
			t.Errorf("%v: %v at once, asked %d times", step, got, asked)
		}
	}
}
