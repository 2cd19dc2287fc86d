package launch

import (
	"os"
	"path/filepath"
	"testing"
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
