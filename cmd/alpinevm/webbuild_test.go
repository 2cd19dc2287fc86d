package main

import (
	"reflect"
	"strings"
	"testing"

	"alpinevm/internal/website"
)

// TestWayOut: which network a page gets, and what is refused before anything is made.
func TestWayOut(t *testing.T) {
	for _, tt := range []struct {
		kind           string
		mirrors, https []string
		want           *website.Network
		err            string
	}{
		{"fetch", nil, nil, &website.Network{Fetch: true}, ""},
		{"fetch", []string{"https://a.example/alpine", "packages", "/up/packages/"}, []string{"api.example", "*.cdn.example"},
			&website.Network{Fetch: true, Mirrors: []string{"https://a.example/alpine", "packages", "/up/packages/"}, HTTPS: []string{"api.example", "*.cdn.example"}}, ""},
		{"none", nil, nil, nil, ""},
		{"wss://relay.example/", nil, nil, &website.Network{Relay: "wss://relay.example/"}, ""},
		{"user", nil, nil, nil, "--network user: want fetch, none, or the address"},
		{"https://relay.example/", nil, nil, nil, "want fetch, none, or the address"},
		{"", nil, nil, nil, "want fetch, none, or the address"},
		{"none", []string{"https://a.example"}, nil, nil, "and it is none"},
		{"wss://relay.example/", nil, []string{"a.example"}, nil, "and it is wss://relay.example/"},
		{"fetch", []string{"ftp://a.example"}, nil, nil, `--fetch-mirror "ftp://a.example"`},
		{"fetch", []string{"https://u:p@a.example"}, nil, nil, "--fetch-mirror"},
		{"fetch", []string{"https:///alpine"}, nil, nil, "--fetch-mirror"},
		{"fetch", []string{""}, nil, nil, "--fetch-mirror"},
		{"fetch", nil, []string{"https://a.example"}, nil, "--fetch-https: host"},
		{"fetch", nil, []string{"localhost"}, nil, "--fetch-https: host"},
	} {
		got, err := wayOut(tt.kind, &website.Network{Mirrors: tt.mirrors, HTTPS: tt.https})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v: %+v, %v", tt, got, err)
		}
	}
}
