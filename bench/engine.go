package bench

import (
	"fmt"
	"slices"
	"strings"

	"alpinevm"
)

// Engines are what can execute a guest's instructions. As a peer each is the same
// machine with that engine.
func Engines() []string {
	return []string{string(alpinevm.EngineInterpreter), string(alpinevm.EngineTranslator), string(alpinevm.EngineStrict)}
}

// Engine gives the name of the engine that a guest has: "" is the one that it has
// by itself. It refuses what is unknown, or not to be had here.
func Engine(name string) (string, error) {
	missing := alpinevm.TranslatorMissing()
	switch {
	case name == "" && missing == nil:
		return string(alpinevm.EngineTranslator), nil
	case name == "" || name == string(alpinevm.EngineInterpreter):
		return string(alpinevm.EngineInterpreter), nil
	case !slices.Contains(Engines(), name):
		return "", fmt.Errorf("%q: want %s", name, strings.Join(Engines(), ", "))
	}
	if missing != nil {
		return "", fmt.Errorf("%s: %w", name, missing)
	}
	return name, nil
}

// Others are the peers of a list that are not this program with another engine.
func Others(vs []string) []string {
	return slices.DeleteFunc(slices.Clone(vs), func(p string) bool { return slices.Contains(Engines(), p) })
}

// engineFor gives a guest the engine of the place where its work is measured.
func engineFor(where string, cfg *alpinevm.Config) {
	if slices.Contains(Engines(), where) {
		cfg.Engine = alpinevm.Engine(where)
	}
}
