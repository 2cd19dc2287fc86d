package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/net/usernet"
)

func TestPolicyFlags(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		flags networkFlags
		err   string
	}{
		{networkFlags{}, ""},
		{networkFlags{policy: policyFlags{allow: []string{"example.com:443", "*.example.com", "198.51.100.0/24"}, deny: []string{"all"}}}, ""},
		{networkFlags{policy: policyFlags{log: filepath.Join(dir, "log"), pcap: filepath.Join(dir, "pcap"), rate: "2M"}}, ""},
		{networkFlags{policy: policyFlags{allow: []string{"https://example.com"}}}, `--allow "https://example.com": that is a URL`},
		{networkFlags{policy: policyFlags{deny: []string{"1.2.3.4/8"}}}, `--deny "1.2.3.4/8": the network is 1.0.0.0/8`},
		{networkFlags{policy: policyFlags{log: dir}}, "--net-log " + dir + ": "},
		{networkFlags{policy: policyFlags{pcap: filepath.Join(dir, "no", "file")}}, "--pcap " + filepath.Join(dir, "no", "file") + ": "},
		{networkFlags{policy: policyFlags{rate: "fast"}}, `--net-rate "fast"`},
		{networkFlags{policy: policyFlags{rate: "0"}}, "--net-rate"},
		{networkFlags{policy: policyFlags{rate: "-1k"}}, "--net-rate"},
		{networkFlags{kind: networkNone, policy: policyFlags{allow: []string{"example.com"}}}, "--allow needs a network"},
		{networkFlags{kind: networkNone, policy: policyFlags{deny: []string{"example.com"}}}, "--deny needs a network"},
		{networkFlags{kind: networkNone, policy: policyFlags{log: "x"}}, "--net-log needs a network"},
		{networkFlags{kind: networkNone, policy: policyFlags{pcap: "x"}}, "--pcap needs a network"},
		{networkFlags{kind: networkNone, policy: policyFlags{rate: "1k"}}, "--net-rate needs a network"},
	} {
		cfg, err := tt.flags.config(false)
		if tt.err == "" && (err != nil || cfg.Policy == nil) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%+v: %v, want %q", tt.flags.policy, err, tt.err)
		}
		tt.flags.policy.finish()
	}
}

func TestParseRate(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "1": 1, "500k": 500_000, "2M": 2_000_000, "1.5MB/s": 1_500_000} {
		if got, err := parseRate(s); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
}

// TestNetLogFile: the log that the flag names has what it hears, and is the user's alone.
func TestNetLogFile(t *testing.T) {
	f := networkFlags{policy: policyFlags{log: filepath.Join(t.TempDir(), "log")}}
	cfg, err := f.config(false)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log.Flow(usernet.Record{Network: "dns", Names: []string{"example.com"}})
	f.policy.finish()
	b, err := os.ReadFile(f.policy.log)
	var r usernet.Record
	if err != nil || json.Unmarshal(b, &r) != nil || r.Names[0] != "example.com" {
		t.Errorf("%s, %v", b, err)
	}
	if info, err := os.Stat(f.policy.log); err != nil || filepath.Separator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
