package alpinevm

import (
	"fmt"
	"io"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
	"alpinevm/cpu/jit/wasm"
)

// Engine is what executes the guest's instructions. The guest cannot tell which
// one does, but by time.
type Engine string

// Engines.
const (
	// EngineAuto is the translator where the host can have it.
	EngineAuto Engine = ""
	// EngineInterpreter executes instruction by instruction.
	EngineInterpreter Engine = "interpreter"
	// EngineTranslator makes machine code of what is executed often.
	EngineTranslator Engine = "translator"
	// EngineStrict is a translator that keeps flags exact wherever a fault may
	// push them. The other one may push flags that no instruction can read
	// any more as they were before they were overwritten.
	EngineStrict Engine = "translator-strict"
)

// hotness is how often the interpreter executes a block before it is translated.
const hotness = 8

// TranslatorMissing says why this host has no translator; nil: it has.
func TranslatorMissing() error {
	if wasm.Supported() == nil {
		return nil
	}
	return amd64.Supported()
}

// TranslatorLacks says what the translator does without on this host's processor, for
// code that is a little longer; "" is nothing.
func TranslatorLacks() string { return amd64.Lacks() }

// attach gives a processor the engine; nil where it is the interpreter.
func (e Engine) attach() (func(*cpu.CPU) (io.Closer, error), error) {
	translate := func(c *cpu.CPU) (io.Closer, error) {
		if wasm.Supported() == nil {
			return wasm.Run(c, e == EngineStrict)
		}
		return amd64.Attach(c, hotness, jit.Config{Strict: e == EngineStrict})
	}
	switch e {
	case EngineInterpreter:
		return nil, nil
	case EngineAuto:
		if TranslatorMissing() != nil {
			return nil, nil
		}
		return translate, nil
	case EngineTranslator, EngineStrict:
		if err := TranslatorMissing(); err != nil {
			return nil, fmt.Errorf("engine translator: %w", err)
		}
		return translate, nil
	}
	return nil, fmt.Errorf("engine %q is unknown: it is interpreter, translator or translator-strict", string(e))
}
