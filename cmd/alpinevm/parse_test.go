package main

import (
	"testing"

	"alpinevm/launch"
)

func TestParseMemory(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64 // 0: an error
	}{
		{"512M", 512 << 20}, {"512m", 512 << 20}, {"1g", 1 << 30}, {"512", 512 << 20}, {"1GiB", 1 << 30},
		{"536870912", 512 << 20}, {"524288k", 512 << 20}, {"3G", 3 << 30},
		{"", 0}, {"x", 0}, {"4G", 0}, {"16M", 0}, {"-1", 0}, {"1.5g", 0}, {"99999999999999999999", 0}, {"m", 0},
	} {
		got, err := parseMemory(tt.in)
		if got != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%q: %d, %v; want %d", tt.in, got, err, tt.want)
		}
	}
}

func TestParseVolume(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want launch.Volume
		ok   bool
	}{
		{"/a:/b", launch.Volume{Host: "/a", Guest: "/b"}, true},
		{"./a:/b/:ro", launch.Volume{Host: "./a", Guest: "/b", ReadOnly: true}, true},
		{`C:\x:/b:rw`, launch.Volume{Host: `C:\x`, Guest: "/b"}, true},
		{"/a:/b:z", launch.Volume{Host: "/a", Guest: "/b"}, true}, {"/a:/b:Z,ro", launch.Volume{Host: "/a", Guest: "/b", ReadOnly: true}, true}, {`C:/x:/b`, launch.Volume{Host: "C:/x", Guest: "/b"}, true},
		{"/a:/b:", launch.Volume{}, false}, {"/a:/b:readonly", launch.Volume{}, false}, {"/a:/b:ro,x", launch.Volume{}, false},
		{"/a", launch.Volume{}, false}, {"/a:b", launch.Volume{}, false}, {":/b", launch.Volume{}, false}, {"/a:/", launch.Volume{}, false},
	} {
		got, err := parseVolume(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %+v, %v", tt.in, got, err)
		}
	}
}

func TestParseEnv(t *testing.T) {
	lookup := func(n string) (string, bool) { return "v", n == "SET" } // the value of an unset one does not matter
	for _, tt := range []struct {
		in, want string
		ok, fail bool
	}{
		{"A=b=c", "A=b=c", true, false}, {"A=", "A=", true, false}, {"SET", "SET=v", true, false}, {"UNSET", "UNSET=v", false, false},
		{"=x", "", false, true}, {"", "", false, true},
	} {
		got, ok, err := parseEnv(tt.in, lookup)
		if got != tt.want || ok != tt.ok || (err != nil) != tt.fail {
			t.Errorf("%q: %q, %v, %v", tt.in, got, ok, err)
		}
	}
}
