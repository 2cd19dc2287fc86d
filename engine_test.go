package alpinevm

import "testing"

// TestLockStep boots the same guest on both engines, a step each in turn, and
// holds all registers against each other behind every step.
func TestLockStep(t *testing.T) {
	if err := TranslatorMissing(); err != nil {
		t.Skip("not here: ", err)
	}
	script := `i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; for f in /etc/*; do md5sum $f; done; ls -lR /usr | sort | tail -n 50; cat /proc/cpuinfo | grep flags | tr ' ' '\n' | sort | uniq | wc -l; dmesg | gzip -9 | gunzip | grep -v '^.......0' | wc -l`
	var g [2]*guest
	for i, e := range []Engine{EngineInterpreter, EngineStrict} {
		cfg := sessionConfig(t, "686-pae", script)
		cfg.Engine = e
		g[i] = newGuest(t, cfg)
	}
	for steps := 0; ; steps++ {
		var s [2]Status
		for i := range g {
			s[i], _ = g[i].Step()
		}
		if a, b := g[0].Instructions(), g[1].Instructions(); a != b {
			t.Fatalf("step %d: the interpreter is at instruction %d, the translator at %d\n%s\n%s", steps, a, b, g[0].board.Registers(), g[1].board.Registers())
		}
		if a, b := g[0].board.Registers(), g[1].board.Registers(); a != b {
			t.Fatalf("step %d, instruction %d: the interpreter has\n%s\nthe translator\n%s", steps, g[0].Instructions(), a, b)
		}
		if s[0] != s[1] {
			t.Fatalf("step %d: %v, %v", steps, s[0], s[1])
		}
		if s[0] == Ended && g[0].board.Drained() && g[1].board.Drained() {
			break
		}
		if steps%10000 == 0 && g[0].Instructions() > runBudget {
			t.Fatal("no end")
		}
	}
	if a, b := g[0].stdout.String(), g[1].stdout.String(); a != b || a == "" {
		t.Errorf("output %q and %q", a, b)
	}
	t.Logf("%d instructions", g[0].Instructions())
}
