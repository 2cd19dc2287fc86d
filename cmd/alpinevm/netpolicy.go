package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/net/usernet"
)

// policyFlags are the flags about what the guest may do on its network, and about who
// is told, as they were given.
type policyFlags struct {
	allow, deny     []string
	log, pcap, rate string
	tell            func(text string) // of what goes wrong with a file
	closers         []func()
}

// Bounds of the files.
const (
	netLogLimit = 64 << 20
	pcapLimit   = 1 << 30
)

func (p *policyFlags) add(fl *pflag.FlagSet) {
	fl.StringArrayVar(&p.allow, "allow", nil, "let the guest reach `WHAT` and nothing else: NAME, *.NAME, ADDRESS or NETWORK/BITS, with :PORT or without (may be repeated)")
	fl.StringArrayVar(&p.deny, "deny", nil, "do not let the guest reach `WHAT`, whatever else is allowed")
	fl.StringVar(&p.log, "net-log", "", "write a line of JSON for each connection, flow, name and refusal to `FILE`")
	fl.StringVar(&p.pcap, "pcap", "", "write all frames of the guest's network to `FILE`, for tcpdump and Wireshark")
	fl.StringVar(&p.rate, "net-rate", "", "let `BYTES` a second pass in each direction, such as 500k or 2M")
}

// given is one of the flags that was given, "" if none was.
func (p *policyFlags) given() string {
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"--allow", p.allow != nil}, {"--deny", p.deny != nil}, {"--net-log", p.log != ""}, {"--pcap", p.pcap != ""}, {"--net-rate", p.rate != ""},
	} {
		if f.is {
			return f.name
		}
	}
	return ""
}

// apply gives the network what the flags ask for. finish closes the files.
func (p *policyFlags) apply(cfg *alpinevm.Network) (err error) {
	rules := &usernet.Rules{HostLoopback: cfg.HostLoopback, PrivateNetworks: cfg.PrivateNetworks}
	if rules.Allow, err = parseRules("--allow", p.allow); err != nil {
		return err
	}
	if rules.Deny, err = parseRules("--deny", p.deny); err != nil {
		return err
	}
	cfg.Policy = rules
	if cfg.Rate, err = parseRate(p.rate); err != nil {
		return err
	}
	if p.log != "" {
		w, err := p.create("--net-log", p.log)
		if err != nil {
			return err
		}
		log := usernet.NewJSONLog(w, netLogLimit, p.failed("--net-log", p.log))
		cfg.Log, p.closers = log, append(p.closers, log.Close)
	}
	if p.pcap != "" {
		w, err := p.create("--pcap", p.pcap)
		if err != nil {
			return err
		}
		pcap := usernet.NewPcap(w, pcapLimit, p.failed("--pcap", p.pcap))
		cfg.Capture, p.closers = pcap, append(p.closers, pcap.Close)
	}
	return nil
}

// create makes a file that is for the user alone: what a guest does is nobody
// else's.
func (p *policyFlags) create(flag, name string) (io.WriteCloser, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, name, cause(err))
	}
	return f, nil
}

// cause is an error of the host without the name of its system call.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (p *policyFlags) failed(flag, name string) func(error) {
	return func(err error) {
		if p.tell != nil {
			p.tell(fmt.Sprintf("%s %s: %s", flag, name, cause(err)))
		}
	}
}

// finish writes what has yet to be written, behind the machine's end.
func (p *policyFlags) finish() {
	for _, c := range p.closers {
		c()
	}
	p.closers = nil
}

func parseRules(flag string, texts []string) (list []usernet.Rule, err error) {
	for _, s := range texts {
		r, err := usernet.ParseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%s %w", flag, err)
		}
		list = append(list, r)
	}
	return list, nil
}

// parseRate reads a number of bytes a second: 500k, 2M, 1.5MB/s; "" is 0, for any
// number.
func parseRate(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := units.FromHumanSize(strings.TrimSuffix(s, "/s"))
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, fmt.Errorf("--net-rate %q: want bytes a second such as 500k or 2M, up to 2G", s)
	}
	return n, nil
}
