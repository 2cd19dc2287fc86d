package bench

import (
	"strings"
	"testing"

	"alpinevm"
)

// TestEngine names engines, the one that a guest has by itself too, and refuses
// what is none or is not to be had.
func TestEngine(t *testing.T) {
	missing := alpinevm.TranslatorMissing()
	own := string(alpinevm.EngineTranslator)
	if missing != nil {
		own = string(alpinevm.EngineInterpreter)
	}
	for name, want := range map[string]string{"": own, "interpreter": "interpreter", "translator": "translator", "translator-strict": "translator-strict"} {
		got, err := Engine(name)
		if missing != nil && strings.HasPrefix(want, "translator") {
			if err == nil || !strings.Contains(err.Error(), missing.Error()) || CheckPeers([]string{name}) == nil {
				t.Errorf("%q: %q, %v, where there is no translator", name, got, err)
			}
		} else if got != want || err != nil || name != "" && CheckPeers([]string{name}) != nil {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
	}
	if got, err := Engine("v86"); err == nil {
		t.Errorf("v86 is the engine %q", got)
	}
	if got := Others([]string{"interpreter", "qemu", "translator", "native"}); strings.Join(got, " ") != "qemu native" {
		t.Errorf("other peers %q", got)
	}
}

// TestEngineFor gives the place of an engine that one, and others what they had.
func TestEngineFor(t *testing.T) {
	for where, want := range map[string]alpinevm.Engine{Guest: alpinevm.EngineStrict, QEMU: alpinevm.EngineStrict, "interpreter": alpinevm.EngineInterpreter} {
		cfg := bareConfig(alpinevm.Config{Engine: alpinevm.EngineStrict}, nil, nil)
		if engineFor(where, &cfg); cfg.Engine != want {
			t.Errorf("%s has %q, want %q", where, cfg.Engine, want)
		}
	}
}

// TestHostFormat: benchstat compares like with like by these lines.
func TestHostFormat(t *testing.T) {
	h := Host{System: "linux/amd64", Kernel: "6.1", Memory: "1G", Engine: "interpreter"}
	for _, want := range []string{"\ngoos: linux\n", "\nkernel: 6.1\n", "\nmemory: 1G\n", "\nengine: interpreter\n"} {
		if !strings.Contains(h.Format(), want) {
			t.Errorf("no %q in:\n%s", want, h.Format())
		}
	}
}
