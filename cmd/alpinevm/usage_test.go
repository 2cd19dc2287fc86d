package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestGroups: each flag of run is in one group, and shown there.
func TestGroups(t *testing.T) {
	c := newRun()
	c.InitDefaultHelpFlag()
	had := map[string]int{}
	for _, g := range runGroups {
		for name := range strings.FieldsSeq(g.flags) {
			had[name]++
			if c.Flags().Lookup(name) == nil {
				t.Errorf("%s: there is no flag %s", g.title, name)
			}
		}
	}
	var out bytes.Buffer
	c.SetOut(&out)
	c.Usage()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (had[f.Name] != 1 || !regexp.MustCompile(`--`+f.Name+`\b`).MatchString(out.String())) {
			t.Errorf("--%s is in %d groups", f.Name, had[f.Name])
		}
	})
	if strings.Contains(out.String(), "More:") {
		t.Error("there are flags without a group")
	}
}

func TestQemuFlags(t *testing.T) {
	for line, want := range map[string]string{
		"run -nographic -kernel x": "there is no flag -nographic; leave it out", "run -hda disk.img": "there is no flag -hda; there are no drives", "run -m 1G -smp 2": "there is no flag -smp; leave it out", "-m 1G -kernel x": "there is no flag -kernel; alpinevm run boots a guest: use --kernel",
		"run -it --name x -h web alpine": "", "run -e A=b -hda x": "there is no flag -hda; there are no drives", "run --memory 1G -M pc": "there is no flag -M; leave it out", "-v": "", "run -m": "",
		"run -smp 2": "there is no flag -smp; leave it out", "run alpine -append": "", "run -it alpine": "", "run --append x": "", "ps -net": "", "run -d alpine": "",
	} {
		err := qemuFlag(strings.Fields(line), newRun().Flags())
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
