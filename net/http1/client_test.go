package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask sends a request to a server and gives the answer and its body.
func ask(t *testing.T, s *httptest.Server, r *Request) (*Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r.Host = "guest"
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	a, err := ReadResponse(bufio.NewReader(c), r.Method)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

// TestHTTP talks to a server of the standard library's.
func TestHTTP(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 50_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sized":
			w.Header().Set("X-Said", r.Header.Get("X-Say"))
			io.WriteString(w, r.Method+" "+r.Host+" "+r.URL.RawQuery)
		case "/chunked":
			for range 5 {
				io.WriteString(w, large)
				w.(http.Flusher).Flush()
			}
		case "/echo":
			w.WriteHeader(201)
			io.Copy(w, r.Body)
		case "/none":
			w.WriteHeader(204)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	for _, tt := range []struct {
		r      Request
		status int
		body   string
	}{
		{Request{Method: "GET", Target: "/sized?a=b", Header: Header{{"X-Say", "it"}, {"Connection", "keep-alive"}}}, 200, "GET guest a=b"},
		{Request{Method: "HEAD", Target: "/sized"}, 200, ""},
		{Request{Method: "GET", Target: "/chunked"}, 200, strings.Repeat(large, 5)},
		{Request{Method: "POST", Target: "/echo", Body: strings.NewReader(large)}, 201, large},
		{Request{Method: "POST", Target: "/echo", Body: strings.NewReader("")}, 201, ""},
		{Request{Method: "DELETE", Target: "/none"}, 204, ""},
		{Request{Method: "GET", Target: "/other"}, 404, "404 page not found\n"},
	} {
		a, body := ask(t, s, &tt.r)
		if a.Status != tt.status || body != tt.body {
			t.Errorf("%s %s: %d, %d bytes %.40q", tt.r.Method, tt.r.Target, a.Status, len(body), body)
		}
		if tt.r.Header != nil && a.Header.Get("x-said") != "it" {
			t.Errorf("its headers are %q", a.Header)
		}
	}
}

// answers are bytes of servers, and what is made of them: a body, or "!" and a part of
// the error.
var answers = []struct{ bytes, want string }{
	{"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"},
	{"HTTP/1.1 200\nContent-Length: 2\n\nokmore", "ok"},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n", "ok"},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "!unexpected EOF"},
	{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "!length"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\n", "!chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n", "!chunk"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", "!unexpected EOF"},
	{"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "!header"},
	{"SSH-2.0-dropbear\r\n", "!HTTP/1.1"},
	{"", "!unexpected EOF"},
	{"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", maxLine) + "\r\n\r\n", "!too long"},
	{"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 1000) + "\r\n", "!too long"},
}

func answered(b string) string {
	a, err := ReadResponse(bufio.NewReader(strings.NewReader(b)), "GET")
	if err != nil {
		return "!" + err.Error()
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return "!" + err.Error()
	}
	return string(body)
}

func TestAnswers(t *testing.T) {
	for _, tt := range answers {
		if got := answered(tt.bytes); got != tt.want && !(strings.HasPrefix(tt.want, "!") && strings.HasPrefix(got, "!") && strings.Contains(got, tt.want[1:])) {
			t.Errorf("%.60q: %.60q, want %q", tt.bytes, got, tt.want)
		}
	}
}

// TestRequests refuses what would be more than one request.
func TestRequests(t *testing.T) {
	for _, r := range []Request{
		{Method: "GET", Target: "/ HTTP/1.1\r\nX: y", Host: "guest"},
		{Method: "GET /", Target: "/", Host: "guest"},
		{Method: "GET", Target: "/", Host: "guest", Header: Header{{"A", "b\r\nC: d"}}},
		{Method: "GET", Target: "/", Host: "guest", Header: Header{{"A: b\r\nC", "d"}}},
	} {
		if err := r.Write(io.Discard); err == nil {
			t.Errorf("%+v is sent", r)
		}
	}
}

// FuzzAnswers reads any bytes as an answer.
func FuzzAnswers(f *testing.F) {
	for _, a := range answers {
		f.Add(a.bytes[:min(len(a.bytes), 2000)])
	}
	f.Fuzz(func(t *testing.T, b string) {
		if got := answered(b); len(got) > len(b)+200 {
			t.Errorf("%d bytes of %d", len(got), len(b))
		}
	})
}
