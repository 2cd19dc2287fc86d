package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHostDNS(t *testing.T) {
	dir := t.TempDir()
	resolv, hosts := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	dns, err := hostDNS(resolv, hosts)
	if err != nil || len(dns.Servers) != 0 || dns.Lookup == nil {
		t.Errorf("a host without files: %+v, %v", dns, err)
	}
	os.WriteFile(resolv, []byte("search example.org\nnameserver 192.0.2.1\n"), 0o600)
	os.WriteFile(hosts, []byte("192.0.2.7 seven\n"), 0o600)
	dns, err = hostDNS(resolv, hosts)
	if err != nil || len(dns.Servers) != 1 || len(dns.Hosts["seven"]) != 1 || dns.Search[0] != "example.org" {
		t.Errorf("%+v, %v", dns, err)
	}
	if _, err := hostDNS(dir, hosts); err == nil {
		t.Error("a folder was read as resolv.conf")
	}
}

// TestResolvers: a file that changes is read again, one that goes is remembered.
func TestResolvers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "resolv.conf")
	r := &resolvers{name: name}
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
	n, err := HostNetwork(false)
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
