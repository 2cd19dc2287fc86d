package main

import "testing"

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
		want volumeFlag
		ok   bool
	}{
		{"/a:/b", volumeFlag{"/a", "/b", false}, true},
		{"./a:/b/:ro", volumeFlag{"./a", "/b", true}, true},
		{`C:\x:/b:rw`, volumeFlag{`C:\x`, "/b", false}, true},
		{"/a:/b:z", volumeFlag{"/a", "/b", false}, true}, {"/a:/b:Z,ro", volumeFlag{"/a", "/b", true}, true}, {`C:/x:/b`, volumeFlag{"C:/x", "/b", false}, true},
		{"/a:/b:", volumeFlag{}, false}, {"/a:/b:readonly", volumeFlag{}, false}, {"/a:/b:ro,x", volumeFlag{}, false},
		{"/a", volumeFlag{}, false}, {"/a:b", volumeFlag{}, false}, {":/b", volumeFlag{}, false}, {"/a:/", volumeFlag{}, false},
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
