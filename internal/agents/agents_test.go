package agents

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"alpinevm/launch"
)

// TestExcerpt: the beginning and the end are kept, however they come.
func TestExcerpt(t *testing.T) {
	const all = "abcdefghijklmnopqrstuvwxyz"
	for _, tt := range []struct {
		limit int
		in    string
		want  string
	}{
		{26, all, all},
		{30, all, all},
		{0, "", ""},
		{10, all, "abcde\n[... 16 bytes are left out ...]\nvwxyz"},
		{7, all, "abcd\n[... 19 bytes are left out ...]\nxyz"},
		{1, all, "a\n[... 25 bytes are left out ...]\n"},
		{4, "ä\xffö!", "ä\n[... 2 bytes are left out ...]\n\ufffd!"},
	} {
		for step := 1; step <= len(tt.in)+1; step++ {
			e := &excerpt{limit: tt.limit}
			for rest := []byte(tt.in); len(rest) > 0; {
				n, err := e.Write(rest[:min(step, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := e.String(); got != tt.want || e.truncated() != (got != tt.in) {
				t.Errorf("%q, %d at a time, limit %d: %q, want %q", tt.in, step, tt.limit, got, tt.want)
			}
			if len(e.head)+len(e.tail) > tt.limit {
				t.Errorf("%d bytes are kept, %d is the limit", len(e.head)+len(e.tail), tt.limit)
			}
		}
	}
}

// TestWholeLetters: a letter that is cut is left for the next part, and what is no
// text stays.
func TestWholeLetters(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"abc", "abc"}, {"aä", "aä"}, {"aä"[:2], "a"}, {"€"[:2], "€"[:2]}, {"x€"[:3], "x"}, {"x𐍈"[:4], "x"}, {"x𐍈", "x𐍈"}, {"\xff\xff\xff\xff", "\xff\xff\xff\xff"},
	} {
		if got := wholeLetters([]byte(tt.in)); string(got) != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// testServer has a kernel that is not there, so that it gets to no machine.
func testServer() *Server {
	return New(Config{
		Limits:  Limits{Machines: 1, Snapshots: 1, Memory: 64 << 20, Time: time.Minute, Life: time.Minute, Output: 1024},
		Images:  []string{"alpine"},
		Spec:    func() (*launch.Spec, error) { return &launch.Spec{Kernel: "nosuch/vmlinuz"}, nil },
		Explain: func(err error) error { return err },
	})
}

// serve has a server answer what a client says, who waits for the answer to the
// request of that number before it goes; 0: it does not wait.
func serve(t testing.TB, said string, number int) (answer string, err error) {
	t.Helper()
	asks, in := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := testServer().Serve(t.Context(), asks, out)
		out.Close()
		ended <- err
	}()
	go func() {
		io.WriteString(in, said)
		if number == 0 {
			in.Close()
		}
	}()
	for lines := bufio.NewScanner(answers); lines.Scan(); {
		if strings.Contains(lines.Text(), fmt.Sprintf(`"id":%d,`, number)) {
			answer = lines.Text()
			in.Close()
		}
	}
	return answer, <-ended
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
	`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

// TestServe: what is no request of ours neither ends a server nor stops the next one
// from being answered, where the protocol goes on at all.
func TestServe(t *testing.T) {
	call := func(params string) string {
		return hello + `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":` + params + "}\n"
	}
	for _, tt := range []struct{ name, said, want string }{
		{"hello", hello, `"name":"alpinevm"`},
		{"no machine", call(`{"name":"make_machine","arguments":{}}`), `Kernel nosuch/vmlinuz: `},
		{"an image that is not given", call(`{"name":"make_machine","arguments":{"image":"other"}}`), `gives alpine and no other`},
		{"one that is", call(`{"name":"make_machine","arguments":{"image":"alpine"}}`), `Kernel nosuch/vmlinuz: `},
		{"no tool", call(`{"name":"nosuch","arguments":{}}`), `nosuch`},
		{"no arguments", call(`{"name":"exec"}`), `missing properties`},
		{"arguments of another form", call(`{"name":"exec","arguments":{"machine":1,"args":"ls"}}`), `"isError":true`},
		{"more than there is", call(`{"name":"destroy_machine","arguments":{"machine":"m1","force":true}}`), `force`},
		{"no method", hello + `{"jsonrpc":"2.0","id":2,"method":"machines/make"}` + "\n", `"error"`},
		{"a terminal's commands", call(`{"name":"exec","arguments":{"machine":"\u001b[2J","script":"true"}}`), `no machine`},
	} {
		got, err := serve(t, tt.said, strings.Count(tt.said, `"id"`))
		if err != nil || !strings.Contains(got, tt.want) || strings.ContainsRune(got, 0x1b) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// FuzzServe: no bytes of a client panic or hang a server.
func FuzzServe(f *testing.F) {
	f.Add("")
	f.Add("\n\n")
	f.Add("[]\n")
	f.Add(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"exec","arguments":{"machine":"m1","args":["ls"]}}}` + "\n")
	f.Add(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"make_machine","arguments":{"memory_mb":1e99,"shares":null}}}` + "\n")
	f.Add(`{"jsonrpc":"2.0","id":null,"method":"tools/list","params":{"cursor":"x"}}` + "\n")
	f.Fuzz(func(t *testing.T, said string) { serve(t, hello+said, 0) })
}
