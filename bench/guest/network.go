//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
)

// How much goes over the network.
const (
	netBytes    = 64 << 20 // each way
	netChunk    = 64 << 10
	roundTrips  = 1000
	connections = 200
)

// The first byte of a connection says what the server, in package bench, is to
// do.
const (
	askSink   = 's' // read to the end, then answer with a byte
	askSource = 'r' // send netBytes
	askEcho   = 'e' // send back what comes
)

// network measures TCP to the server at addr.
func network(addr string) error {
	dial := func(ask byte) (*net.TCPConn, error) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		_, err = c.Write([]byte{ask})
		return c.(*net.TCPConn), err
	}
	for _, s := range []struct {
		name  string
		n     int
		bytes int64
		work  func() error
	}{
		{"connect", connections, 0, func() error {
			for range connections {
				c, err := dial(askEcho)
				if err != nil {
					return err
				}
				c.Close()
			}
			return nil
		}},
		{"round-trip", roundTrips, 0, func() error { return echo(dial) }},
		{"send", 1, netBytes, func() error { return send(dial) }},
		{"receive", 1, netBytes, func() error { return receive(dial) }},
	} {
		if err := step(s.name, s.n, s.bytes, s.work); err != nil {
			return err
		}
	}
	return nil
}

type dialer func(ask byte) (*net.TCPConn, error)

func echo(dial dialer) error {
	c, err := dial(askEcho)
	if err != nil {
		return err
	}
	defer c.Close()
	var p [1]byte
	for i := range roundTrips {
		p[0] = byte(i)
		if _, err := c.Write(p[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, p[:]); err != nil {
			return err
		}
		if p[0] != byte(i) {
			return fmt.Errorf("%d came back as %d", byte(i), p[0])
		}
	}
	return nil
}

// send sends netBytes; the server answers how many chunks were right.
func send(dial dialer) error {
	c, err := dial(askSink)
	if err != nil {
		return err
	}
	defer c.Close()
	p := make([]byte, netChunk)
	for i := range netBytes / netChunk {
		p[0], p[netChunk-1] = byte(i), byte(i+1)
		if _, err := c.Write(p); err != nil {
			return err
		}
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	var ok [1]byte
	if _, err := io.ReadFull(c, ok[:]); err != nil {
		return fmt.Errorf("the server did not get all: %w", err)
	}
	return nil
}

func receive(dial dialer) error {
	c, err := dial(askSource)
	if err != nil {
		return err
	}
	defer c.Close()
	p := make([]byte, netChunk)
	for i := range netBytes / netChunk {
		if _, err := io.ReadFull(c, p); err != nil {
			return err
		}
		if p[0] != byte(i) || p[netChunk-1] != byte(i+1) {
			return fmt.Errorf("wrong bytes in piece %d", i)
		}
	}
	return nil
}
