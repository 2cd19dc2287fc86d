package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A cutter serves content, and cuts each answer.
type cutter struct {
	content  string
	each     int  // bytes of an answer before it is cut
	ranges   bool // Range is obeyed
	unsized  bool // no Content-Length
	edit     func(w http.ResponseWriter, r *http.Request, from *int) bool
	requests int
	sent     int
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests++
	from := 0
	if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && c.ranges {
		first, _, _ := strings.Cut(s, "-")
		from, _ = strconv.Atoi(first)
	}
	if c.edit != nil && c.edit(w, r, &from) {
		return
	}
	if from > 0 && from >= len(c.content) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", len(c.content)))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if !c.unsized {
		w.Header().Set("Content-Length", fmt.Sprint(len(c.content)-from))
	}
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(c.content)-1, len(c.content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	n := min(c.each, len(c.content)-from)
	io.WriteString(w, c.content[from:from+n])
	c.sent += n
	w.(http.Flusher).Flush()
	if n < len(c.content)-from || c.unsized && c.each < len(c.content) {
		panic(http.ErrAbortHandler)
	}
}

// download reads all of a source.
func download(t *testing.T, s *cutter, size int64, fixed bool, change func(*Client)) (string, error) {
	srv := httptest.NewServer(s)
	defer srv.Close()
	c := New(Config{Host: hostPort(srv)})
	slept(c)
	if change != nil {
		change(c)
	}
	d, err := c.Download(t.Context(), Source{
		Do: (&http.Client{Transport: c}).Do, URL: srv.URL, Size: size, Fixed: fixed,
		Status:  func(r *http.Response) error { return statusError(r.StatusCode) },
		Passing: func(err error) bool { var s statusError; return errors.As(err, &s) && PassingStatus(int(s)) },
	})
	if err != nil {
		return "", err
	}
	defer d.Close()
	b, err := io.ReadAll(d)
	return string(b), err
}

type statusError int

func (s statusError) Error() string { return "status " + strconv.Itoa(int(s)) }

// numbers is content of which each ten bytes are others.
func numbers() string {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "%09d\n", i)
	}
	return b.String()
}

// in has edit change the n-th request.
func in(n int, edit func(w http.ResponseWriter, r *http.Request, from *int) bool) func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
	return func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
		return func(w http.ResponseWriter, r *http.Request, from *int) bool {
			return s.requests == n && edit(w, r, from)
		}
	}
}

func answer(code int) func(http.ResponseWriter, *http.Request, *int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ *int) bool {
		w.WriteHeader(code)
		return true
	}
}

// tagged gives each answer another version.
func tagged(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ *int) bool {
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, s.requests))
		return false
	}
}

func TestDownload(t *testing.T) {
	all := numbers()
	for _, tt := range []struct {
		name     string
		server   cutter
		edit     func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool
		size     int64
		fixed    bool
		requests int
		sent     int // bytes
	}{
		{"whole", cutter{each: 1 << 20}, nil, -1, false, 1, 100_000},
		{"whole, of a known size", cutter{each: 1 << 20}, nil, 100_000, true, 1, 100_000},
		{"whole, without a length", cutter{each: 1 << 20, unsized: true}, nil, -1, false, 1, 100_000},
		{"cut", cutter{each: 7001, ranges: true}, nil, 100_000, true, 15, 100_000},
		{"cut, of no known size", cutter{each: 7001, ranges: true}, nil, -1, false, 15, 100_000},
		{"cut, without a length", cutter{each: 7001, ranges: true, unsized: true}, nil, -1, false, 16, 100_000},
		{"cut at the end, without a length", cutter{each: 50_000, ranges: true, unsized: true}, nil, -1, false, 3, 100_000},
		{"cut, and ranges are ignored", cutter{}, func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
			return func(http.ResponseWriter, *http.Request, *int) bool {
				s.each = 40_000 * s.requests
				return false
			}
		}, 100_000, true, 3, 220_000},
		{"begins before what was asked for", cutter{each: 60_000, ranges: true}, in(2, func(_ http.ResponseWriter, _ *http.Request, from *int) bool {
			*from = 50_000
			return false
		}), 100_000, true, 2, 110_000},
		{"does not understand ranges", cutter{each: 60_000}, func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
			return func(w http.ResponseWriter, r *http.Request, _ *int) bool {
				if r.Header.Get("Range") != "" {
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
					return true
				}
				s.each *= s.requests
				return false
			}
		}, 100_000, true, 3, 160_000},
		{"an error of the server's own in between", cutter{each: 60_000, ranges: true}, in(2, answer(502)), 100_000, true, 3, 100_000},
		{"an error of the server's own at first", cutter{each: 60_000, ranges: true}, in(1, answer(500)), 100_000, true, 3, 100_000},
		{"other versions of the same bytes", cutter{each: 60_000, ranges: true}, tagged, 100_000, true, 2, 100_000},
		{"nothing at all", cutter{each: 60_000}, func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool {
			s.content = ""
			return nil
		}, 0, true, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &tt.server
			s.content = all
			if tt.edit != nil {
				s.edit = tt.edit(s)
			}
			got, err := download(t, s, tt.size, tt.fixed, nil)
			if got != s.content || err != nil {
				t.Fatalf("%d bytes, right up to there: %v; %v", len(got), strings.HasPrefix(all, got), err)
			}
			if s.requests != tt.requests || s.sent != tt.sent {
				t.Errorf("%d requests, want %d; %d bytes sent, want %d", s.requests, tt.requests, s.sent, tt.sent)
			}
		})
	}
}

func TestDownloadFails(t *testing.T) {
	all := numbers()
	for _, tt := range []struct {
		name     string
		server   cutter
		edit     func(s *cutter) func(http.ResponseWriter, *http.Request, *int) bool
		size     int64
		fixed    bool
		change   func(*Client)
		is       error
		text     string
		requests int
	}{
		{"cut at the same place each time", cutter{each: 5000}, nil, 100_000, true, nil, io.ErrUnexpectedEOF, "", attempts},
		{"cut at once each time", cutter{ranges: true}, nil, 100_000, true, nil, io.ErrUnexpectedEOF, "", attempts},
		{"no such file", cutter{}, in(1, answer(404)), -1, false, nil, statusError(404), "", 1},
		{"forbidden from now on", cutter{each: 5000, ranges: true}, in(2, answer(403)), 100_000, true, nil, statusError(403), "", 2},
		{"an error of the server's own each time", cutter{}, func(*cutter) func(http.ResponseWriter, *http.Request, *int) bool { return answer(503) }, -1, false, nil, statusError(503), "", attempts},
		{"a success that has nothing", cutter{}, in(1, answer(204)), -1, false, nil, statusError(204), "", 1},
		{"another version", cutter{each: 60_000, ranges: true}, tagged, -1, false, nil, ErrChanged, "", 2},
		{"less than there should be", cutter{each: 1 << 20, ranges: true}, nil, 100_001, true, nil, io.ErrUnexpectedEOF, "100000 bytes of 100001", attempts},
		{"begins behind what was asked for", cutter{each: 60_000, ranges: true}, in(2, func(_ http.ResponseWriter, _ *http.Request, from *int) bool {
			*from = 60_001
			return false
		}), 100_000, true, nil, nil, `bytes from 60000 on were asked for, and "bytes 60001-99999/100000" came`, 2},
		{"does not say what it is a part of", cutter{each: 60_000, ranges: true}, in(2, answer(206)), 100_000, true, nil, nil, `and "" came`, 2},
		{"drops", cutter{each: 1, ranges: true}, nil, 100_000, true, func(c *Client) {
			c.window = 100 * time.Millisecond
			c.sleep = func(context.Context, time.Duration) error {
				time.Sleep(time.Millisecond)
				return nil
			}
		}, ErrSlow, "", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &tt.server
			s.content = all
			if tt.edit != nil {
				s.edit = tt.edit(s)
			}
			got, err := download(t, s, tt.size, tt.fixed, tt.change)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(all, got) {
				t.Errorf("%d bytes, %v; want %v", len(got), err, tt.is)
			}
			if s.requests != tt.requests && tt.requests > 0 {
				t.Errorf("%d requests, want %d", s.requests, tt.requests)
			}
		})
	}
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string][2]int64{
		"bytes 10-19/20": {10, 20}, "bytes 0-0/1": {0, 1}, "bytes 5-9/*": {5, -1},
		"": {-2}, "bytes */20": {-2}, "bytes -5-9/20": {-2}, "items 1-2/3": {-2}, "bytes 1/2": {-2}, "bytes x-2/3": {-2}, "bytes 1-2/x": {-2},
		"bytes 1-2/99999999999999999999": {-2},
	} {
		from, total, ok := contentRange(s)
		if ok != (want[0] != -2) || ok && [2]int64{from, total} != want {
			t.Errorf("%q: %d, %d, %v", s, from, total, ok)
		}
	}
}
