package httpgate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// notNames are ends of names that are nobody's in the internet (RFC 6761, 6762, 7686,
// 8375, 9476), and of what is asked backwards.
var notNames = []string{"localhost", "local", "internal", "invalid", "onion", "alt", "home.arpa", "arpa"}

// hostName says whether a name, in lower case, can be a host's in the internet: neither
// of this computer or its network, nor an address, as browsers read them.
func hostName(name string) error {
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || len(name) > 253 {
		return errNoHost
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return errNoHost
		}
	}
	// A browser takes a name whose last part is a number for an address of IPv4.
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" || last == "0x" {
		return errNoHost
	}
	for _, end := range notNames {
		if name == end || strings.HasSuffix(name, "."+end) {
			return errNoHost
		}
	}
	return nil
}

// Secures says whether what the guest asks a host for by http is fetched by https, so that
// it loses nothing.
func (g *Gate) Secures(host string) bool { return hostName(host) == nil && g.byHTTPS(host) }

// byHTTPS says whether a host is fetched by https.
func (g *Gate) byHTTPS(name string) bool {
	if g.cfg.Secure || name == alpineHost {
		return true
	}
	return slices.ContainsFunc(g.cfg.HTTPS, func(h string) bool {
		below, wild := strings.CutPrefix(h, "*")
		return name == h || wild && strings.HasSuffix(name, below)
	})
}

var errTarget = errors.New("the address in the request is none of this host's")

// path is what a request asks a host for.
func path(name, target string) (string, error) {
	if strings.HasPrefix(target, "/") {
		return target, nil
	}
	u, err := url.Parse(target) // as a proxy is asked
	if err != nil || u.Scheme != "http" || !strings.EqualFold(u.Hostname(), name) {
		return "", errTarget
	}
	return u.RequestURI(), nil
}

// urls are the addresses at which a host's path is, in the order in which they are tried,
// and what is to be called when one has answered.
func (g *Gate) urls(name, path string) (list []string, answered func(i int)) {
	if rest, ok := strings.CutPrefix(path, alpinePath); ok && name == alpineHost {
		return g.mirrors.urls(rest)
	}
	scheme := "http"
	if g.byHTTPS(name) {
		scheme = "https"
	}
	return []string{scheme + "://" + name + path}, func(int) {}
}

// Where Alpine's packages are, as the guest's /etc/apk/repositories has it.
const (
	alpineHost = "dl-cdn.alpinelinux.org"
	alpinePath = "/alpine/"
)

// mirrors are what stands for Alpine's own server.
type mirrors struct {
	bases []string // with a slash at the end

	mu   sync.Mutex
	lead int // which has answered last, and is asked first
}

func newMirrors(list []string, secure bool) (*mirrors, error) {
	if len(list) == 0 {
		list = []string{"https://" + alpineHost + alpinePath}
	}
	m := &mirrors{}
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("mirror %q: want an address such as https://%s/alpine", s, alpineHost)
		}
		if secure && u.Scheme == "http" && !thisComputer(u.Hostname()) {
			u.Scheme = "https" // a page that came by https fetches nothing else
		}
		m.bases = append(m.bases, strings.TrimRight(u.String(), "/")+"/")
	}
	return m, nil
}

// thisComputer says whether browsers take a host for their own, to which plain http is no
// mixed content.
func thisComputer(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func (m *mirrors) urls(rest string) (list []string, answered func(i int)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	order := []int{m.lead}
	for i := range m.bases {
		if i != m.lead {
			order = append(order, i)
		}
	}
	for _, i := range order {
		list = append(list, m.bases[i]+rest)
	}
	return list, func(i int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.lead = order[i]
	}
}
