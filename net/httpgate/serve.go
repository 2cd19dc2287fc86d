package httpgate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"alpinevm/net/http1"
)

const (
	// idle is how long a connection may be without a request, and a request may take to
	// come.
	idle = 2 * time.Minute
	// handshake begins what a client of TLS sends first (RFC 8446, 5.1).
	handshake = 22
)

// noTLS is what it is answered: an alert that there will be no handshake (RFC 8446, 6.2).
var noTLS = []byte{21, 3, 3, 0, 2, 2, 40}

// session is a connection of the guest's to a host.
type session struct {
	gate *Gate
	name string
	conn *end
}

// serve answers requests, one after the other.
func (s *session) serve(ctx context.Context) {
	defer s.conn.Close()
	r := bufio.NewReaderSize(s.conn, 4<<10)
	for {
		late := time.AfterFunc(idle, func() { s.conn.Close() })
		last, err := s.next(ctx, r, late)
		late.Stop()
		if err != nil {
			return
		}
		if last {
			s.conn.finish(ctx)
			return
		}
	}
}

// next answers a request. Its error ends the connection with a reset; last with the
// answer.
func (s *session) next(ctx context.Context, r *bufio.Reader, late *time.Timer) (last bool, err error) {
	if first, err := r.Peek(1); err == nil && first[0] == handshake {
		s.gate.tell(s.name+":443", fmt.Sprintf("%s: the guest cannot speak https without a relay; ask by http://%s/, which this page fetches by https.", s.name, s.name))
		_, err := s.conn.Write(noTLS)
		return true, err
	}
	q, err := http1.ReadRequest(r, s.conn)
	switch {
	case errors.Is(err, io.EOF):
		return true, nil
	case errors.Is(err, http1.ErrNotHTTP):
		return true, said(400, err.Error()).Write(s.conn, &http1.Request{Minor: 1}, true)
	case err != nil:
		return true, err
	}
	a, last, done := s.answer(ctx, q, late)
	defer done()
	last = last || q.Last()
	return last, a.Write(s.conn, q, last)
}

// said is an answer of our own.
func said(status int, sentence string) *http1.Response {
	return &http1.Response{
		Status: status, Text: sentence[:min(len(sentence), 400)], // what clients show of an error is the status line
		Header: http1.Header{{"Content-Type", "text/plain; charset=utf-8"}},
		Body:   strings.NewReader(sentence + "\n"),
	}
}

// never are methods that a browser does not fetch by.
var never = []string{"CONNECT", "TRACE", "TRACK"}

// answer finds the answer to a request; done is called when it is written, or is not to be.
func (s *session) answer(ctx context.Context, q *http1.Request, late *time.Timer) (a *http1.Response, last bool, done func()) {
	var dones []func()
	done = func() {
		for _, f := range slices.Backward(dones) {
			f()
		}
	}
	at, err := path(s.name, q.Target)
	if err != nil {
		return said(400, err.Error()), true, done
	}
	if slices.Contains(never, q.Method) {
		return said(405, q.Method+" is no method that a page can fetch by"), true, done
	}
	r := &Request{Method: q.Method, Header: passed(q.Header)}
	if q.Body != nil {
		if q.Method == "GET" || q.Method == "HEAD" {
			return said(400, "a page cannot fetch by "+q.Method+" with a body"), true, done
		}
		free, err := take(ctx, s.gate.bodies)
		if err != nil {
			return said(503, err.Error()), true, done
		}
		dones = append(dones, free)
		if r.Body, err = io.ReadAll(io.LimitReader(q.Body, maxBody+1)); err != nil {
			return said(400, err.Error()), true, done
		}
		if len(r.Body) > maxBody {
			return said(413, fmt.Sprintf("without a relay a request has %d MiB at the most: the browser takes it whole", maxBody>>20)), true, done
		}
	}
	late.Stop() // from here on it is the host that takes its time
	free, err := take(ctx, s.gate.fetches)
	if err != nil {
		return said(503, err.Error()), true, done
	}
	dones = append(dones, free)
	f := s.gate.fetch(ctx, r, s.name, at)
	if f.Body != nil {
		dones = append(dones, func() { f.Body.Close() })
	}
	return &http1.Response{Status: f.Status, Text: f.Text, Header: f.Header, Body: f.Body}, false, done
}

// left are headers that are not passed on: a browser sends its own, or would have to ask
// the host first whether it may send them (CORS), which few let it, and every host can do
// without them. A part of a file could not be told from another, as its place is in a
// header that a page may not read.
var left = map[string]bool{
	"user-agent": true, "accept-encoding": true, "cache-control": true, "pragma": true, "if-modified-since": true, "if-none-match": true, "range": true, "if-range": true,
}

// passed are the headers that are passed on.
func passed(h http1.Header) (list http1.Header) {
	for _, l := range h {
		if name := strings.ToLower(l[0]); !http1.OfConnection(name) && !left[name] {
			list = append(list, l)
		}
	}
	return list
}

// fetch asks for what a host has at a path.
func (g *Gate) fetch(ctx context.Context, r *Request, name, path string) *Response {
	urls, answered := g.urls(name, path)
	if r.Method != "GET" && r.Method != "HEAD" {
		urls = urls[:1] // it may have had an effect
	}
	var refusal *Response
	var why []string
	for i, u := range urls {
		try := *r
		try.URL = u
		a, err := g.cfg.Fetcher.Fetch(ctx, &try)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				a.Body.Close()
			}
			return own(503, "the guest asks no more")
		case err != nil:
			why = append(why, g.why(ctx, u))
		case a.Status < 400 || len(urls) == 1:
			answered(i)
			if refusal != nil {
				refusal.Body.Close()
			}
			return plain(a)
		case refusal == nil:
			refusal = a
		default:
			a.Body.Close()
		}
	}
	if refusal != nil {
		return plain(refusal)
	}
	sentence := strings.Join(why, "; ") + ". A relay, as alpinevm serve has, reaches every host"
	if name == alpineHost {
		sentence = "No mirror of Alpine can be fetched: " + sentence
	}
	g.tell(name, sentence+".")
	return own(502, sentence)
}

// why says why an address was not fetched.
func (g *Gate) why(ctx context.Context, url string) string {
	host, _, _ := strings.Cut(strings.SplitN(url, "://", 2)[1], "/")
	if g.cfg.Fetcher.Answers(ctx, url) {
		return host + " does not let this page read what it answers: it sends no header Access-Control-Allow-Origin (CORS)"
	}
	return host + " cannot be reached by this browser's fetch: it does not answer, or not by " + url[:strings.Index(url, ":")]
}

func own(status int, sentence string) *Response {
	a := said(status, sentence)
	return &Response{a.Status, a.Text, a.Header, io.NopCloser(a.Body)}
}

// plain is an answer without what was true of it on the way to the browser.
func plain(a *Response) *Response {
	coded := a.Header.Get("Content-Encoding") != ""
	a.Header = slices.DeleteFunc(a.Header, func(l [2]string) bool {
		return strings.EqualFold(l[0], "Content-Encoding") || coded && strings.EqualFold(l[0], "Content-Length")
	})
	return a
}
