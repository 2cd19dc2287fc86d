package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Words are what the messages of Explain call things.
type Words struct {
	Host string // the server that the user has named, with its port
	Name string // of it, such as "Docker Hub"
	Kind string // what it is, such as "registry"
	// Plain tells that it may do without TLS, where it is named so.
	Plain bool
	Else  string // what can be done without it, such as ", or give the files"
}

// Explain says in the words of a message why a request has failed, and what to
// do. It knows errors of the network alone, and gives "" for others.
func (w Words) Explain(err error) (why, next string) {
	var e *Error
	var addr *AddressError
	switch {
	case !errors.As(err, &e):
		return "", ""
	case errors.As(err, &addr): // of several attempts this one says most
		return fmt.Sprintf("%s sends us to %s, %s", w.Name, addr.at(), addr.Scope), "if you trust it, allow that with --private-redirects"
	}
	at := e.Host
	if strings.EqualFold(hostOf(e.Host), hostOf(w.Host)) {
		at = w.Name
	}
	if e.Proxy != "" {
		return explainProxy(e)
	}
	for _, f := range []func(*Error, string) (string, string){w.tls, w.network} {
		if why, next = f(e, at); why != "" {
			return why, next
		}
	}
	return "the connection to " + at + " broke (" + cause(e) + ")", "try again"
}

// cause is the innermost error's text, in one line.
func cause(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func explainProxy(e *Error) (why, next string) {
	var status *proxyStatus
	const check = "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that are to be reached without"
	switch proxy := "the proxy " + e.Proxy; {
	case errors.As(e, &status):
		return fmt.Sprintf("%s refuses to connect us to %s (%s)", proxy, e.Host, cause(e)), check
	case errors.Is(e, syscall.ECONNREFUSED):
		return proxy + " refuses connections", check + ", and that it runs"
	default:
		return fmt.Sprintf("%s fails (%s)", proxy, cause(e)), check
	}
}

// speaksPlain tells whether a server has answered TLS without it.
func speaksPlain(e *Error) bool {
	var record tls.RecordHeaderError
	return errors.As(e, &record) || strings.Contains(e.Error(), "server gave HTTP response to HTTPS client")
}

func (w Words) tls(e *Error, at string) (why, next string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var plain *PlainError
	switch {
	case w.Plain && speaksPlain(e):
		return at + " speaks HTTP without TLS", "name it by a URL with http://"
	case errors.As(e, &plain), speaksPlain(e):
		return at + " speaks HTTP without TLS, which is for localhost only", "give the " + w.Kind + " a certificate"
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired:
		return "the TLS certificate of " + at + " has expired or is not valid yet", "check this machine's clock; if it is right, the " + w.Kind + " has to renew"
	case errors.As(e, &name):
		return "the TLS certificate of " + at + " is for another name", "check the " + w.Kind + "'s name; a proxy or a login page of the network may be in between"
	case errors.As(e, &unknown):
		return "the TLS certificate of " + at + " is signed by an authority that this machine does not know",
			"add the authority to the system's certificates, or name its file in SSL_CERT_FILE"
	case errors.As(e, &verify), errors.As(e, &invalid), errors.As(e, &alert):
		return "no TLS connection to " + at + " (" + cause(e) + ")", "check the " + w.Kind + "'s certificate"
	}
	return "", ""
}

func (w Words) network(e *Error, at string) (why, next string) {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(e, syscall.ENETUNREACH), errors.Is(e, syscall.EHOSTUNREACH), errors.Is(e, syscall.ENETDOWN):
		return "there is no network (" + cause(e) + ")", "connect this machine and try again" + w.Else
	case errors.As(e, &dns) && dns.IsNotFound:
		return "there is no host " + dns.Name + " in DNS", "check the " + w.Kind + "'s name, and the network" + w.Else
	case errors.As(e, &dns):
		return "the name " + dns.Name + " could not be looked up (" + dns.Err + ")", "check the network and its DNS server" + w.Else
	case errors.Is(e, syscall.ECONNREFUSED):
		return at + " refuses connections", "check the port, and that the " + w.Kind + " runs" + w.Else
	case errors.Is(e, ErrSlow):
		return at + " sends hardly anything", "try again later, or check the network" + w.Else
	case errors.As(e, &timeout) && timeout.Timeout():
		return at + " does not answer", "try again, or check the network and its proxy (HTTPS_PROXY)" + w.Else
	}
	return "", ""
}
