package alpinevm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// ErrNoNetwork is the error of a machine whose Config has no Network.
var ErrNoNetwork = errors.New("the machine has no network")

// Dial connects to a port of the guest's, without a port of the host's. network is
// "tcp" or "udp"; of address, ":80" or "name:80", the port alone counts. A program
// that listens at the guest's loopback alone is not reached.
func (vm *VM) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	port, err := vm.port("dial", address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := vm.while(ctx)
	defer cancel()
	return vm.m.network.Dial(ctx, network, port)
}

// Listen takes the guest's connections to a port of its gateway's, 10.0.2.2, where
// it is the program that answers and not the host. network is "tcp"; of address the
// port alone counts, and 0 is one that is free.
func (vm *VM) Listen(network, address string) (net.Listener, error) {
	port, err := vm.port("listen", address)
	if err != nil {
		return nil, err
	}
	return vm.m.network.Listen(network, port)
}

func (vm *VM) port(op, address string) (uint16, error) {
	if vm.m.network == nil {
		return 0, fmt.Errorf("%s %s: %w", op, address, ErrNoNetwork)
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %q is no port; want a number such as :80", op, address, text)
	}
	return uint16(port), nil
}
