package usernet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"alpinevm/net/special"
)

// Default is what a guest may do with addresses of one Reach where no rule says
// more. The documentation has the same table.
type Default struct {
	What   string // in words
	Open   bool   // without rules that allow
	Listed string // what is open with such rules
	Opens  string // what opens it
}

// Defaults are the defaults of a network, by Reach.
var Defaults = [...]Default{
	Public:  {"a public address", true, "what is allowed by name or address", "`--allow NAME`, `--allow NETWORK`"},
	Private: {"an address of a special range, or of a network that the host is connected to", false, "what is allowed by address", "`--private-networks`; `--allow` of an address, or of a network inside a special range"},
	Host:    {"the host, at any of its addresses", false, "nothing", "`--host-loopback`, with `--allow` if there is any"},
	Never:   {"no address of one host: loopback, multicast, broadcast, the guest's own network", false, "nothing", "nothing"},
}

// DefaultsTable is the table of Defaults in Markdown: a row a kind of address, a
// column a mode of the network.
func DefaultsTable() string {
	open := map[bool]string{true: "open", false: "closed"}
	var b strings.Builder
	b.WriteString("| the guest connects to | `--network none` | `--network user` | with `--allow` | opened by |\n|---|---|---|---|---|\n")
	for _, d := range Defaults {
		fmt.Fprintf(&b, "| %s | closed | %s | %s | %s |\n", d.What, open[d.Open], d.Listed, d.Opens)
	}
	return b.String()
}

// refused is the error of what is closed.
func (d Default) refused() error {
	return fmt.Errorf("it is %s; what opens it: %s", d.What, strings.ReplaceAll(d.Opens, "`", ""))
}

// Rules is a Policy of rules that allow and rules that deny; what is denied is
// denied whatever is allowed. Where any rule allows, or Only says so, only that is
// open. The first addresses of Defaults are open to names; an address of a private
// network is not, whatever name leads there, since names are other people's.
//
// Forwarded ports were asked for one by one: of Deny the rules with a network
// count for who comes there, and nothing else.
type Rules struct {
	HostLoopback, PrivateNetworks bool // open Defaults[Host] and Defaults[Private]
	Allow, Deny                   []Rule
	Only                          bool
}

// Rule names addresses, by themselves or by a name that leads to them, and ports.
type Rule struct {
	Name      string       // "example.com", "*.example.com" for all below it, or "" if it has a Net
	Net       netip.Prefix // of addresses
	Low, High uint16       // ports; 0 and 0 are all, and echo requests
	text      string
}

// String is the rule as it was given.
func (r Rule) String() string { return r.text }

// everything is a rule that every address matches.
const everything = "*"

// ParseRule reads NAME, *.NAME, ADDRESS, NETWORK/BITS or *, each with :PORT or
// :LOW-HIGH behind it or without; IPv6 with a port is in brackets.
func ParseRule(s string) (Rule, error) {
	bad := func(why string) (Rule, error) {
		return Rule{}, fmt.Errorf("%q: %s; want a name, *.NAME, an address or a network such as 198.51.100.0/24, with :PORT or without", s, why)
	}
	if strings.Contains(s, "://") {
		return bad("that is a URL")
	}
	r := Rule{text: s}
	what, ports, ok := cutPort(s)
	if ok {
		low, high, isRange := strings.Cut(ports, "-")
		if !isRange {
			high = low
		}
		l, err := strconv.ParseUint(low, 10, 16)
		h, err2 := strconv.ParseUint(high, 10, 16)
		if err != nil || err2 != nil || l == 0 || h < l {
			return bad(fmt.Sprintf("%q is no port", ports))
		}
		r.Low, r.High = uint16(l), uint16(h)
	}
	if ip, err := netip.ParseAddr(what); err == nil && ip.Zone() == "" {
		r.Net = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
		return r, nil
	}
	if strings.Contains(what, "/") {
		p, err := netip.ParsePrefix(what)
		if err != nil || p.Addr().Is4In6() {
			return bad("that is no network")
		}
		if p != p.Masked() {
			return bad("the network is " + p.Masked().String())
		}
		r.Net = p
		return r, nil
	}
	if r.Name = ruleName(what); r.Name == "" {
		return bad("that is no name")
	}
	return r, nil
}

// cutPort cuts the port off.
func cutPort(s string) (what, port string, ok bool) {
	if rest, in := strings.CutPrefix(s, "["); in {
		what, port, ok = strings.Cut(rest, "]")
		if !ok {
			return s, "", false
		}
		if bits, is := strings.CutPrefix(port, "/"); is { // [2001:db8::]/32:443
			bits, port, ok = strings.Cut(bits, ":")
			return what + "/" + bits, port, ok
		}
		port, ok = strings.CutPrefix(port, ":")
		return what, port, ok
	}
	if strings.Count(s, ":") != 1 {
		return s, "", false // IPv6, or none
	}
	return strings.Cut(s, ":")
}

// ruleName is a name as it is looked up, "" if it is none.
func ruleName(s string) string {
	if s == everything || s == "all" {
		return everything
	}
	rest, wild := strings.CutPrefix(canonical(s), "*.")
	name, err := idna.ToASCII(rest)
	if err != nil || !utf8.ValidString(rest) || strings.HasSuffix(name, ".") || encodeName(name) == nil {
		return ""
	}
	name = strings.ToLower(name)
	if strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}) {
		return ""
	}
	if wild {
		return "*." + name
	}
	return name
}

// names tells whether name is one of the rule's.
func (r Rule) names(name string) bool {
	if parent, ok := strings.CutPrefix(r.Name, "*."); ok {
		return strings.HasSuffix(name, "."+parent)
	}
	return r.Name == everything || r.Name != "" && r.Name == name
}

// port tells whether a flow has one of the rule's ports.
func (r Rule) port(f Flow) bool {
	return r.High == 0 || f.Network != "icmp" && r.Low <= f.Remote.Port() && f.Remote.Port() <= r.High
}

// matches tells whether the rule is about f.
func (r Rule) matches(f Flow) bool {
	if !r.port(f) {
		return false
	}
	return r.Name == everything || r.Net.Contains(f.Remote.Addr()) || slices.ContainsFunc(f.Names, r.names)
}

// opensPrivate tells whether the rule opens a private address by itself: it says that
// one, or a network of which nothing else can be meant.
func (r Rule) opensPrivate() bool {
	return r.Net.IsValid() && (r.Net.IsSingleIP() || special.Within(r.Net))
}

func (p *Rules) listed() bool { return p.Only || len(p.Allow) > 0 }

// Lookup has a name refused that no rule allows: who is asked for it would know
// it, and so could be told anything.
func (p *Rules) Lookup(name string) error {
	for _, r := range p.Deny {
		if r.High == 0 && r.names(name) {
			return fmt.Errorf("--deny %s", r)
		}
	}
	if p.listed() && !slices.ContainsFunc(p.Allow, func(r Rule) bool { return r.names(name) }) {
		return errNotAllowed
	}
	return nil
}

var errNotAllowed = errors.New("no --allow names it")

// Connect decides about a flow.
func (p *Rules) Connect(f Flow) error {
	d := Defaults[f.Reach]
	open := d.Open || f.Reach == Host && p.HostLoopback || f.Reach == Private && p.PrivateNetworks
	if !open && f.Reach != Private {
		return d.refused()
	}
	for _, r := range p.Deny {
		if r.denies(f) {
			return fmt.Errorf("--deny %s", r)
		}
	}
	if f.Inbound {
		return nil
	}
	allowed := slices.ContainsFunc(p.Allow, func(r Rule) bool { return r.matches(f) })
	if !open { // but for what is named by its address
		if slices.ContainsFunc(p.Allow, func(r Rule) bool { return r.opensPrivate() && r.matches(f) }) {
			return nil
		}
		return d.refused()
	}
	if p.listed() && !allowed {
		return errNotAllowed
	}
	return nil
}

// denies tells whether the rule denies f. The port of who comes to a forwarded port
// means nothing.
func (r Rule) denies(f Flow) bool {
	if f.Inbound {
		return r.High == 0 && (r.Name == everything || r.Net.Contains(f.Remote.Addr()))
	}
	return r.matches(f)
}
