package main

import (
	"syscall/js"

	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
	"alpinevm/internal/website"
)

// upper is where what the guest changes is kept, and what ends the use of it; nil: it
// is in memory.
func (p *page) upper(m *website.Machine) (fs9p.Numbered, func() error, error) {
	files := p.port.Get("files")
	if !files.Truthy() {
		return nil, func() error { return nil }, nil
	}
	free := int64(-1)
	if n := p.port.Get("free"); n.Type() == js.TypeNumber {
		free = int64(n.Float())
	}
	s := storage.NewOPFS(files, free)
	if err := website.Kept(s, m); err != nil {
		return nil, nil, err
	}
	tell := func(text string) { p.send("notice", map[string]any{"text": text}) }
	f, err := statefs.Open(statefs.Config{Storage: s, Tell: tell, Failed: func(err error) {
		p.send("notice", map[string]any{"text": "Nothing is kept from here on: " + err.Error()})
	}})
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}
