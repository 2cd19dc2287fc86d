package usernet_test

import (
	"fmt"
	"net/netip"

	"alpinevm/net/usernet"
)

// A policy decides without a guest or a network.
func ExampleRules() {
	allow, err := usernet.ParseRule("*.example.com:443")
	if err != nil {
		panic(err)
	}
	policy := &usernet.Rules{Allow: []usernet.Rule{allow}}
	fmt.Println(policy.Lookup("www.example.com"))
	fmt.Println(policy.Lookup("www.example.org"))
	flow := usernet.Flow{Network: "tcp", Remote: netip.MustParseAddrPort("198.51.100.7:443"), Names: []string{"www.example.com"}}
	fmt.Println(policy.Connect(flow))
	flow.Remote = netip.MustParseAddrPort("198.51.100.7:80")
	fmt.Println(policy.Connect(flow))
	// Output:
	// <nil>
	// no --allow names it
	// <nil>
	// no --allow names it
}
