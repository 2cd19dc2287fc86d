package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall/js"

	"alpinevm"
	"alpinevm/net/http1"
	"alpinevm/net/usernet"
)

// insideNetwork is a network that leads nowhere: the page reaches the guest's servers.
func insideNetwork() *alpinevm.Network {
	return &alpinevm.Network{Dialer: nowhere{}, DNS: usernet.DNSConfig{Lookup: nowhere{}.lookup}}
}

// nowhere is a usernet.Dialer that reaches nobody.
type nowhere struct{}

var errNowhere = errors.New("this page has no way out: it needs a relay, as alpinevm serve has, or network \"fetch\"")

func (nowhere) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errNowhere
}

func (nowhere) lookup(context.Context, string) ([]netip.Addr, error) { return nil, errNowhere }

// fetch asks a server in the guest for something, for the page. What comes of stdin is
// the request's body.
func (s *server) fetch(id int, m js.Value) {
	ctx, cancel := context.WithCancel(context.Background())
	e := &execution{stdin: newInbox(), cancel: cancel}
	s.mu.Lock()
	s.execs[id] = e
	s.mu.Unlock()
	port := strconv.Itoa(m.Get("port").Int())
	r := &http1.Request{Method: text(m.Get("method")), Target: text(m.Get("path")), Host: "localhost:" + port}
	for i := range m.Get("headers").Length() {
		h := m.Get("headers").Index(i)
		r.Header = append(r.Header, [2]string{h.Index(0).String(), h.Index(1).String()})
	}
	if m.Get("stdin").Truthy() {
		r.Body = e.stdin
	}
	go s.answer(id, func() (any, error) {
		defer func() {
			cancel()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.execs, id)
		}()
		return nil, s.pass(ctx, id, port, r)
	})
}

// pass sends a request and passes the answer on as it comes.
func (s *server) pass(ctx context.Context, id int, port string, r *http1.Request) error {
	c, err := s.vm.Dial(ctx, "tcp", ":"+port)
	if err != nil {
		return fmt.Errorf("nothing in the guest answers at port %s: %w", port, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	sent := make(chan error, 1)
	go func() { sent <- r.Write(c) }()
	a, err := http1.ReadResponse(bufio.NewReader(c), r.Method)
	if err != nil {
		select { // the request may be why
		case e := <-sent:
			err = errors.Join(e, err)
		default:
		}
		return fmt.Errorf("port %s: %w", port, err)
	}
	headers := []any{}
	for _, h := range a.Header {
		headers = append(headers, []any{h[0], h[1]})
	}
	s.send("head", map[string]any{"id": id, "status": a.Status, "text": a.Text, "headers": headers})
	_, err = io.CopyBuffer(writer{s.page, "stdout", id}, struct{ io.Reader }{a.Body}, make([]byte, 64<<10))
	return err
}
