//go:build !web

package profile

import (
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/google/pprof/profile"
)

// Write writes the profile, compressed, as pprof reads it.
func (p *Profile) Write(w io.Writer) error {
	b := &builder{Profile: p, locations: map[frame]*profile.Location{}, functions: map[string]*profile.Function{}, mappings: map[uint32]*profile.Mapping{}}
	b.out = &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "instructions", Unit: "count"}},
		DefaultSampleType: "instructions",
		PeriodType:        &profile.ValueType{Type: "instructions", Unit: "count"}, Period: int64(p.every),
		TimeNanos: p.made.UnixNano(), DurationNanos: int64(time.Since(p.made)),
	}
	b.mapping(ofKernel) // pprof calls a profile by its first one
	if p.full {
		b.out.Comments = append(b.out.Comments, fmt.Sprintf("there were more than %d different stacks: the places of others are left out", maxStacks))
	}
	for key, c := range p.tally {
		b.add([]byte(key), c)
	}
	if err := b.out.CheckValid(); err != nil {
		panic("BUG: a profile that is not valid: " + err.Error())
	}
	return b.out.Write(w)
}

// builder makes pprof's form of a profile.
type builder struct {
	*Profile
	out       *profile.Profile
	locations map[frame]*profile.Location
	functions map[string]*profile.Function
	mappings  map[uint32]*profile.Mapping
}

// add adds a stack, the innermost frame first.
func (b *builder) add(key []byte, c *count) {
	le := binary.LittleEndian
	s := &profile.Sample{Value: []int64{c.samples, c.instructions}, Label: map[string][]string{
		"process": {b.names[le.Uint32(key)]}, "ring": {"kernel"},
	}}
	switch {
	case key[4] == 1:
		s.Label["ring"] = []string{"user"}
	case le.Uint32(key) == 0:
		s.Label["process"] = []string{kernelProcess}
	}
	for rest, inner := key[5:], true; len(rest) > 0; rest, inner = rest[8:], false {
		f := frame{le.Uint32(rest), le.Uint32(rest[4:])}
		if !inner {
			f.address-- // in the call that it returns from
		}
		s.Location = append(s.Location, b.location(f))
	}
	if len(s.Location) == 0 {
		s.Location = append(s.Location, b.location(frame{ofUnknown, 0}))
	}
	b.out.Sample = append(b.out.Sample, s)
}

func (b *builder) location(f frame) *profile.Location {
	if l := b.locations[f]; l != nil {
		return l
	}
	m := b.modules[f.module]
	syms := &b.kernel
	if f.module != ofKernel {
		syms = m.table(&b.left)
	} else {
		b.parseKallsyms()
	}
	name, ok := syms.find(f.address)
	if !ok {
		name = m.name
		if f.module >= firstFile {
			name = "[" + path.Base(m.name) + "]"
		}
	}
	l := &profile.Location{ID: uint64(len(b.out.Location) + 1), Mapping: b.mapping(f.module), Address: uint64(f.address), Line: []profile.Line{{Function: b.function(name, m.name)}}}
	b.locations[f] = l
	b.out.Location = append(b.out.Location, l)
	return l
}

func (b *builder) function(name, file string) *profile.Function {
	key := name + "\x00" + file
	f := b.functions[key]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.out.Function) + 1), Name: name, SystemName: name, Filename: file}
		b.functions[key] = f
		b.out.Function = append(b.out.Function, f)
	}
	return f
}

func (b *builder) mapping(module uint32) *profile.Mapping {
	m := b.mappings[module]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(b.out.Mapping) + 1), Limit: 1 << 32, File: b.modules[module].name, HasFunctions: true}
		b.mappings[module] = m
		b.out.Mapping = append(b.out.Mapping, m)
	}
	return m
}
