package usernet

import (
	"golang.org/x/net/dns/dnsmessage"
)

// Extended errors tell why there is no answer (RFC 8914).
const (
	optExtendedError = 15
	extendedBlocked  = 15
)

// refuseName answers a query for a name that the policy does not want, of which
// nobody else hears. It says that there is no such name: a resolver that is told
// REFUSED asks again and again. Who understands extended errors is told the truth.
func refuseName(query []byte, h dnsmessage.Header, q dnsmessage.Question) []byte {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: h.ID, Response: true, OpCode: h.OpCode,
			RecursionDesired: h.RecursionDesired, RecursionAvailable: true, RCode: dnsmessage.RCodeNameError,
		},
		Questions: []dnsmessage.Question{q},
	}
	var asked dnsmessage.Message
	if asked.Unpack(query) == nil {
		for _, r := range asked.Additionals {
			if r.Header.Type == dnsmessage.TypeOPT {
				opt := dnsmessage.Resource{Body: &dnsmessage.OPTResource{
					Options: []dnsmessage.Option{{Code: optExtendedError, Data: []byte{0, extendedBlocked}}},
				}}
				if opt.Header.SetEDNS0(dnsMessage, dnsmessage.RCodeNameError, false) != nil {
					break
				}
				m.Additionals = append(m.Additionals, opt)
				break
			}
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
