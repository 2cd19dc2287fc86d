package launch

import (
	"testing"
	"testing/fstest"
)

func TestParseKernel(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want *kernelSource
	}{
		{"", &kernelSource{}},
		{"3.20", &kernelSource{release: "v3.20"}},
		{"v3.20", &kernelSource{release: "v3.20"}},
		{"3.20.3", &kernelSource{release: "v3.20"}},
		{"v4.1", &kernelSource{release: "v4.1"}},
		{"edge", &kernelSource{release: "edge"}},
		{"latest-stable", &kernelSource{release: "latest-stable"}},
		{"6.6.58-r0", &kernelSource{version: "6.6.58-r0"}},
		{"6.6.58", &kernelSource{version: "6.6.58"}},
		{"6.6", &kernelSource{version: "6.6"}},
		{"vmlinuz", nil},
		{"vmlinuz-6.6.58", nil},
		{"dir/3.20", nil},
		{"alpine.go", nil}, // a file that is no package
		{".", nil},
	} {
		got := parseKernel(tt.in)
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%q: %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestReleaseOf(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"3.20.3\n", "v3.20"}, {"3.9.0", "v3.9"}, {"3.24.0_alpha20260127\n", "edge"}, {"edge", "edge"},
	} {
		if got := releaseOf(fstest.MapFS{"etc/alpine-release": {Data: []byte(tt.text)}}); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
	if got := releaseOf(fstest.MapFS{}); got != latestStable {
		t.Errorf("a root of another distribution: %s", got)
	}
}
