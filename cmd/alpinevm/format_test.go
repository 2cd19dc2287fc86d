package main

import (
	"bytes"
	"testing"
)

func TestFormat(t *testing.T) {
	type thing struct {
		Name  string
		Ports []struct{ Host string }
		State struct{ Code int }
	}
	v := thing{Name: "a<b", Ports: []struct{ Host string }{{"h:1"}}}
	v.State.Code = 7
	for _, tt := range []struct {
		format, want string
		bad          bool
	}{
		{"json", `{"Name":"a<b","Ports":[{"Host":"h:1"}],"State":{"Code":7}}` + "\n", false},
		{"{{.Name}} {{ .State.Code }}x{{.Ports.0.Host}}", "a<b 7xh:1\n", false},
		{"{{json .State}}{{json .Name}}", `{"Code":7}"a<b"` + "\n", false},
		{"plain", "plain\n", false},
		{"{{.Nosuch}}", "", true}, {"{{.Ports.1}}", "", true}, {"{{.Ports.x}}", "", true}, {"{{range .Ports}}", "", true}, {"{{.Name.X}}", "", true},
	} {
		var out bytes.Buffer
		if err := printEach(&out, tt.format, []thing{v}); (err != nil) != tt.bad || out.String() != tt.want {
			t.Errorf("%s: %q, %v", tt.format, out.String(), err)
		}
	}
}
