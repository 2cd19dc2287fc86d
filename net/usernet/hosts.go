package usernet

import (
	"bufio"
	"io"
	"net/netip"
	"strings"
)

// Lines of the host's files are read up to that length; the rest of the file is
// left out then.
const longestLine = 64 << 10

// ParseResolvConf reads the name servers and search domains of a resolv.conf(5).
// Lines that make no sense are skipped. Its error is that of the reader.
func ParseResolvConf(r io.Reader) (servers []netip.AddrPort, search []string, err error) {
	err = eachLine(r, func(f []string) {
		switch f[0] {
		case "nameserver":
			if ip, err := netip.ParseAddr(f[1]); err == nil {
				servers = append(servers, netip.AddrPortFrom(ip, dnsPort))
			}
		case "search", "domain":
			search = f[1:] // the last one counts
		}
	})
	return servers, search, err
}

// ParseHosts reads a hosts(5) file into a map from names, in lower case, to
// their addresses. Lines that make no sense are skipped. Its error is that of
// the reader.
func ParseHosts(r io.Reader) (map[string][]netip.Addr, error) {
	hosts := map[string][]netip.Addr{}
	err := eachLine(r, func(f []string) {
		ip, err := netip.ParseAddr(f[0])
		if err != nil {
			return
		}
		for _, name := range f[1:] {
			name = canonical(name)
			hosts[name] = append(hosts[name], ip.WithZone(""))
		}
	})
	return hosts, err
}

// canonical is a host name as hosts are looked up.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// eachLine calls f with the words of each line that has two at least, without
// comments.
func eachLine(r io.Reader, f func(words []string)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, longestLine)
	for s.Scan() {
		line := s.Text()
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		if words := strings.Fields(line); len(words) >= 2 {
			f(words)
		}
	}
	if err := s.Err(); err != bufio.ErrTooLong {
		return err
	}
	return nil
}
