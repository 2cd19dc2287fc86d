package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// requests are bytes of clients, and what is made of them: method, target and body of each
// request, and "!" where an error ends them.
var requests = []struct{ bytes, want string }{
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ;"},
	{"\r\nGET /a?b HTTP/1.0\n\n", "GET /a?b ;"},
	{"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", "GET /1 ;GET /2 ;"},
	{"POST /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyPUT /2 HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nA: b\r\n\r\nGET /3 HTTP/1.1\r\n\r\n", "POST /1 body;PUT /2 abc;GET /3 ;"},
	{"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "POST / ok;"},
	{"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "!"},
	{"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", "!"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "!"},
	{"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nok", "!"},
	{"POST / HTTP/1.1\r\nContent-Length: -2\r\n\r\nok", "!"},
	{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nok", "POST / ok!"},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", "POST / ok!"},
	{"GET / HTTP/2.0\r\n\r\n", "!"},
	{"GET  / HTTP/1.1\r\n\r\n", "!"},
	{"GET /\r\n\r\n", "!"},
	{"G(T / HTTP/1.1\r\n\r\n", "!"},
	{"GET /\x01 HTTP/1.1\r\n\r\n", "!"},
	{"GET / HTTP/1.1\r\nA : b\r\n\r\n", "!"},
	{"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "!"},
	{"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n", "!"},
	{"GET / HTTP/1.1\r\nA: " + strings.Repeat("a", maxRequest) + "\r\n\r\n", "!"},
	{"GET / HTTP/1.1\r\n", "!"},
	{"\x16\x03\x01\x02\x00", "!"},
	{"", ""},
}

func read(b string) string {
	var s strings.Builder
	r := bufio.NewReader(strings.NewReader(b))
	for {
		q, err := ReadRequest(r, io.Discard)
		if err == io.EOF {
			return s.String()
		}
		if err != nil {
			return s.String() + "!"
		}
		fmt.Fprintf(&s, "%s %s ", q.Method, q.Target)
		if q.Body != nil {
			body, err := io.ReadAll(q.Body)
			s.Write(body)
			if err != nil {
				return s.String() + "!"
			}
		}
		s.WriteString(";")
	}
}

func TestReadRequest(t *testing.T) {
	for _, tt := range requests {
		if got := read(tt.bytes); got != tt.want {
			t.Errorf("%.80q: %q, want %q", tt.bytes, got, tt.want)
		}
	}
}

// TestInvited: a client that waits to be told to send a body is told so once, when it is
// read.
func TestInvited(t *testing.T) {
	var told bytes.Buffer
	q, err := ReadRequest(bufio.NewReader(strings.NewReader("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")), &told)
	if err != nil || told.Len() > 0 {
		t.Fatalf("%v, %q", err, told.String())
	}
	if body, err := io.ReadAll(q.Body); string(body) != "body" || err != nil || told.String() != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("%q, %v; the client is told %q", body, err, told.String())
	}
}

// broken is a body that ends with an error.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("gone")
	}
	return n, err
}

// TestWriteResponse has a client of the standard library's read answers.
func TestWriteResponse(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 20_000)
	for _, tt := range []struct {
		q      Request
		a      Response
		length int64
		body   string // "!": it is not whole
	}{
		{Request{Method: "GET", Minor: 1}, Response{Status: 200, Text: "OK", Body: strings.NewReader(large)}, -1, large},
		{Request{Method: "GET", Minor: 0}, Response{Status: 200, Text: "OK", Body: strings.NewReader(large)}, -1, large},
		{Request{Method: "GET", Minor: 1}, Response{Status: 200, Header: Header{{"Content-Length", "7"}, {"Transfer-Encoding", "gzip"}}, Body: strings.NewReader("longer than that")}, -1, "longer than that"},
		{Request{Method: "GET", Minor: 1}, Response{Status: 200}, 0, ""},
		{Request{Method: "GET", Minor: 1}, Response{Status: 304, Body: strings.NewReader("none")}, 0, ""},
		{Request{Method: "HEAD", Minor: 1}, Response{Status: 200, Header: Header{{"Content-Length", "7"}}, Body: strings.NewReader("none")}, 7, ""},
		{Request{Method: "GET", Minor: 1}, Response{Status: 502, Text: "a sentence\r\nX: y ä", Body: strings.NewReader("")}, -1, ""},
		{Request{Method: "GET", Minor: 1}, Response{Status: 200, Body: broken{strings.NewReader("half")}}, -1, "!"},
	} {
		var b bytes.Buffer
		werr := tt.a.Write(&b, &tt.q, false)
		a, err := http.ReadResponse(bufio.NewReader(&b), &http.Request{Method: tt.q.Method})
		if err != nil {
			t.Errorf("%+v: %v", tt.a, err)
			continue
		}
		body, err := io.ReadAll(a.Body)
		if tt.body == "!" {
			if err == nil || werr == nil {
				t.Errorf("half a body: %q, written %v, read %v", body, werr, err)
			}
			continue
		}
		if err != nil || werr != nil || a.StatusCode != tt.a.Status || string(body) != tt.body || a.ContentLength != tt.length || a.Header.Get("X") != "" {
			t.Errorf("%s %+v: %d %q, length %d, %.40q, %v, %v", tt.q.Method, tt.a, a.StatusCode, a.Header, a.ContentLength, body, werr, err)
		}
	}
}

// FuzzRequests reads any bytes as requests.
func FuzzRequests(f *testing.F) {
	for _, r := range requests {
		f.Add(r.bytes[:min(len(r.bytes), 2000)])
	}
	f.Fuzz(func(t *testing.T, b string) {
		if got := read(b); len(got) > 2*len(b)+10 {
			t.Errorf("%d bytes of %d", len(got), len(b))
		}
	})
}
