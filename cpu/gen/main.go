// Command gen writes the specialised handlers of package cpu: one function for
// each operation, operand size and addressing form that is hot, from the
// templates below. Run it by go generate in package cpu.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"strings"
	"text/template"
)

// size is one operand size.
type size struct {
	Bits, Bytes int
	Type        string
	Last        string // added to an address to reach the operand's last byte
}

var sizes = []size{
	{8, 1, "uint8", ""},
	{16, 2, "uint16", "+1"},
	{32, 4, "uint32", "+3"},
}

// alu is one two-operand operation. Expr computes r from a and b; Flags
// records them.
type alu struct {
	Name, Expr string
	Kind       string // add, sub, logic
	NoResult   bool
	ReadsCarry bool
}

// quiet says whether there are handlers that set no flags.
func (a alu) quiet(s size) bool { return s.Bits == 32 && !a.NoResult && !a.ReadsCarry }

var alus = []alu{
	{"add", "a + b", "add", false, false},
	{"or", "a | b", "logic", false, false},
	{"adc", "a + b + s.carry()", "add", false, true},
	{"sbb", "a - b - s.carry()", "sub", false, true},
	{"and", "a & b", "logic", false, false},
	{"sub", "a - b", "sub", false, false},
	{"xor", "a ^ b", "logic", false, false},
	{"cmp", "a - b", "sub", true, false},
	{"test", "a & b", "logic", true, false},
}

// conditions in the order of their codes, over Aux and Res as flags.go lays
// them out.
var conditions = []struct{ Name, Expr string }{
	{"O", "int32(s.Aux^s.Aux<<1) < 0"},
	{"NO", "int32(s.Aux^s.Aux<<1) >= 0"},
	{"B", "int32(s.Aux) < 0"},
	{"AE", "int32(s.Aux) >= 0"},
	{"E", "s.Res == 0"},
	{"NE", "s.Res != 0"},
	{"BE", "int32(s.Aux) < 0 || s.Res == 0"},
	{"A", "int32(s.Aux) >= 0 && s.Res != 0"},
	{"S", "int32(s.Res^s.Aux<<31) < 0"},
	{"NS", "int32(s.Res^s.Aux<<31) >= 0"},
	{"P", "s.pf()"},
	{"NP", "!s.pf()"},
	{"L", "int32(s.Res^s.Aux<<31^s.Aux^s.Aux<<1) < 0"},
	{"GE", "int32(s.Res^s.Aux<<31^s.Aux^s.Aux<<1) >= 0"},
	{"LE", "s.Res == 0 || int32(s.Res^s.Aux<<31^s.Aux^s.Aux<<1) < 0"},
	{"G", "s.Res != 0 && int32(s.Res^s.Aux<<31^s.Aux^s.Aux<<1) >= 0"},
}

// forms of a memory operand: flat needs no segment check.
var forms = []string{"Flat", "Seg"}

const helpers = `
{{define "getReg"}}{{if eq .Bits 8}}s.R[o.reg&3]>>(o.regSh&31)&0xff{{else if eq .Bits 16}}s.R[o.reg&15]&0xffff{{else}}s.R[o.reg&15]{{end}}{{end}}
{{define "getRM"}}{{if eq .Bits 8}}s.R[o.rm&3]>>(o.rmSh&31)&0xff{{else if eq .Bits 16}}s.R[o.rm&15]&0xffff{{else}}s.R[o.rm&15]{{end}}{{end}}
{{define "setReg"}}{{if eq .Bits 8}}s.R[o.reg&3] = s.R[o.reg&3]&^(0xff<<(o.regSh&31)) | r&0xff<<(o.regSh&31){{else if eq .Bits 16}}s.R[o.reg&15] = s.R[o.reg&15]&^0xffff | r&0xffff{{else}}s.R[o.reg&15] = r{{end}}{{end}}
{{define "setRM"}}{{if eq .Bits 8}}s.R[o.rm&3] = s.R[o.rm&3]&^(0xff<<(o.rmSh&31)) | r&0xff<<(o.rmSh&31){{else if eq .Bits 16}}s.R[o.rm&15] = s.R[o.rm&15]&^0xffff | r&0xffff{{else}}s.R[o.rm&15] = r{{end}}{{end}}
{{define "linR"}}{{if eq .Form "Flat"}}	lin := s.R[o.base&15] + s.R[o.index&15]<<(o.scale&31) + o.disp
{{else}}	lin, ok := c.linRead(o, {{.Bytes}})
	if !ok {
		return faulted
	}
{{end}}{{end}}
{{define "linW"}}{{if eq .Form "Flat"}}	lin := s.R[o.base&15] + s.R[o.index&15]<<(o.scale&31) + o.disp
{{else}}	lin, ok := c.linWrite(o, {{.Bytes}})
	if !ok {
		return faulted
	}
{{end}}{{end}}
{{define "loadM"}}	var m uint32
	if e := &c.tlb[lin>>12&tlbMask]; e.R == (lin{{.Last}})&^0xfff {
		m = uint32(c.ram.Load{{.Bits}}(e.Off + lin))
	} else {
		var ok bool
		if m, ok = c.loadSlow(lin, {{.Bytes}}, c.Half); !ok {
			return faulted
		}
	}
{{end}}
{{define "storeM"}}	if e := &c.tlb[lin>>12&tlbMask]; e.W == (lin{{.Last}})&^0xfff {
		c.ram.Store{{.Bits}}(e.Off+lin, {{if eq .Bits 32}}r{{else}}{{.Type}}(r){{end}})
		return next
	}
	return c.storeSlow(lin, {{.Bytes}}, r, c.Half)
{{end}}
{{define "flags"}}{{if eq .Kind "add"}}	cy := a&b | (a|b)&^r
{{else if eq .Kind "sub"}}	cy := ^a&b | (^a|b)&r
{{end}}{{if eq .Bits 32}}	s.Res = r
{{else}}	s.Res = uint32(int32(int{{.Bits}}(r)))
{{end}}{{if eq .Kind "logic"}}	s.Aux = 0
{{else if eq .Bits 32}}	s.Aux = cy & (AuxCF | AuxPO | AuxAF)
{{else if eq .Bits 16}}	s.Aux = cy<<16&(AuxCF|AuxPO) | cy&AuxAF
{{else}}	s.Aux = cy<<24&(AuxCF|AuxPO) | cy&AuxAF
{{end}}{{end}}
`

const aluText = `
func {{.Name}}{{.Bits}}RegRM(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getReg" .}}, {{template "getRM" .}}
	r := {{.Expr}}
{{template "flags" .}}{{if not .NoResult}}	{{template "setReg" .}}
{{end}}	return next
}

func {{.Name}}{{.Bits}}RMReg(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getRM" .}}, {{template "getReg" .}}
	r := {{.Expr}}
{{template "flags" .}}{{if not .NoResult}}	{{template "setRM" .}}
{{end}}	return next
}

func {{.Name}}{{.Bits}}RMImm(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getRM" .}}, o.imm
	r := {{.Expr}}
{{template "flags" .}}{{if not .NoResult}}	{{template "setRM" .}}
{{end}}	return next
}
`

// quietText is aluText without the flags.
const quietText = `
func {{.Name}}{{.Bits}}RegRMQuiet(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getReg" .}}, {{template "getRM" .}}
	r := {{.Expr}}
	{{template "setReg" .}}
	return next
}

func {{.Name}}{{.Bits}}RMRegQuiet(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getRM" .}}, {{template "getReg" .}}
	r := {{.Expr}}
	{{template "setRM" .}}
	return next
}

func {{.Name}}{{.Bits}}RMImmQuiet(c *CPU, o *op) status {
	s := c.Core
	a, b := {{template "getRM" .}}, o.imm
	r := {{.Expr}}
	{{template "setRM" .}}
	return next
}
`

const aluMemText = `
func {{.Name}}{{.Bits}}RegMem{{.Form}}(c *CPU, o *op) status {
	s := c.Core
{{template "linR" .}}{{template "loadM" .}}	a, b := {{template "getReg" .}}, m
	r := {{.Expr}}
{{template "flags" .}}{{if not .NoResult}}	{{template "setReg" .}}
{{end}}	return next
}
{{range $src := .Sources}}{{with $}}
func {{.Name}}{{.Bits}}Mem{{$src}}{{.Form}}(c *CPU, o *op) status {
	s := c.Core
{{if .NoResult}}{{template "linR" .}}{{template "loadM" .}}	a, b := m, {{if eq $src "Reg"}}{{template "getReg" .}}{{else}}o.imm{{end}}
	r := {{.Expr}}
{{template "flags" .}}	return next
{{else}}{{template "linW" .}}	b := {{if eq $src "Reg"}}{{template "getReg" .}}{{else}}o.imm{{end}}
	if e := &c.tlb[lin>>12&tlbMask]; e.W == (lin{{.Last}})&^0xfff {
		a := uint32(c.ram.Load{{.Bits}}(e.Off + lin))
		r := {{.Expr}}
{{template "flags" .}}		c.ram.Store{{.Bits}}(e.Off+lin, {{if eq .Bits 32}}r{{else}}{{.Type}}(r){{end}})
		return next
	}
	a, good := c.loadForWrite(lin, {{.Bytes}})
	if !good {
		return faulted
	}
	r := {{.Expr}}
{{template "flags" .}}	return c.storeSlow(lin, {{.Bytes}}, r, c.Half)
{{end}}}
{{end}}{{end}}`

const movText = `
func mov{{.Bits}}RegMem{{.Form}}(c *CPU, o *op) status {
	s := c.Core
{{template "linR" .}}{{template "loadM" .}}	r := m
	{{template "setReg" .}}
	return next
}

func mov{{.Bits}}MemReg{{.Form}}(c *CPU, o *op) status {
	s := c.Core
{{template "linW" .}}	r := {{template "getReg" .}}
{{template "storeM" .}}}

func mov{{.Bits}}MemImm{{.Form}}(c *CPU, o *op) status {
{{if eq .Form "Flat"}}	s := c.Core
{{end}}{{template "linW" .}}	r := o.imm
{{template "storeM" .}}}
`

const movRegText = `
func mov{{.Bits}}RegRM(c *CPU, o *op) status {
	s := c.Core
	r := {{template "getRM" .}}
	{{template "setReg" .}}
	return next
}

func mov{{.Bits}}RMReg(c *CPU, o *op) status {
	s := c.Core
	r := {{template "getReg" .}}
	{{template "setRM" .}}
	return next
}

func mov{{.Bits}}RegImm(c *CPU, o *op) status {
	s := c.Core
	r := o.imm
	{{template "setReg" .}}
	return next
}

func mov{{.Bits}}RMImm(c *CPU, o *op) status {
	s := c.Core
	r := o.imm
	{{template "setRM" .}}
	return next
}
`

// extend is MOVZX or MOVSX to 32 bits.
const extendText = `
func {{.Name}}{{.Bits}}RegRM(c *CPU, o *op) status {
	s := c.Core
	v := {{template "getRM" .}}
	s.R[o.reg&15] = {{.Expr}}
	return next
}
{{range $form := .Forms}}{{with $.With $form}}
func {{.Name}}{{.Bits}}RegMem{{.Form}}(c *CPU, o *op) status {
	s := c.Core
{{template "linR" .}}{{template "loadM" .}}	v := m
	s.R[o.reg&15] = {{.Expr}}
	return next
}
{{end}}{{end}}`

const jccText = `
func jcc{{.Name}}(c *CPU, o *op) status {
	s := c.Core
	if {{.Expr}} {
		s.EIP += o.imm
		return jump
	}
	return next
}
`

// unit is what a template gets to see.
type unit struct {
	size
	Name, Expr, Kind, Form string
	NoResult               bool
	Forms, Sources         []string
}

// With gives the unit for another addressing form.
func (u unit) With(form string) unit {
	u.Form = form
	return u
}

func parse(text string) *template.Template {
	return template.Must(template.Must(template.New("helpers").Parse(helpers)).New("t").Parse(text))
}

func main() {
	write("alu_gen.go", genALU)
	write("mov_gen.go", genMov)
	write("jcc_gen.go", genJcc)
}

func write(name string, gen func(*bytes.Buffer)) {
	var b bytes.Buffer
	b.WriteString("// Code generated by cpu/gen; DO NOT EDIT.\n\npackage cpu\n")
	gen(&b)
	src, err := format.Source(b.Bytes())
	if err != nil {
		os.WriteFile(name, b.Bytes(), 0o644)
		fmt.Fprintln(os.Stderr, "gen:", name, err)
		os.Exit(1)
	}
	if err := os.WriteFile(name, src, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func execute(b *bytes.Buffer, t *template.Template, u unit) {
	if err := t.Execute(b, u); err != nil {
		panic(err)
	}
}

// handlers is one row of a table of handlers by operand form.
func handlers(b *bytes.Buffer, prefix string, names []string) {
	for _, n := range names {
		fmt.Fprintf(b, "%s: %s,\n", strings.ToLower(n[:1])+n[1:], prefix+n)
	}
}

func genALU(b *bytes.Buffer) {
	reg, mem, quiet := parse(aluText), parse(aluMemText), parse(quietText)
	for _, a := range alus {
		for _, s := range sizes {
			u := unit{size: s, Name: a.Name, Expr: a.Expr, Kind: a.Kind, NoResult: a.NoResult, Sources: []string{"Reg", "Imm"}}
			execute(b, reg, u)
			if a.quiet(s) {
				execute(b, quiet, u)
			}
			for _, f := range forms {
				execute(b, mem, u.With(f))
			}
		}
	}
	for _, a := range alus {
		fmt.Fprintf(b, "\nvar %sHandlers = [3]operands{\n", a.Name)
		for _, s := range sizes {
			b.WriteString("{\n")
			handlers(b, fmt.Sprintf("%s%d", a.Name, s.Bits), []string{
				"RegRM", "RMReg", "RMImm", "RegMemFlat", "RegMemSeg", "MemRegFlat", "MemRegSeg", "MemImmFlat", "MemImmSeg",
			})
			if a.quiet(s) {
				for _, f := range []string{"RegRM", "RMReg", "RMImm"} {
					fmt.Fprintf(b, "quiet%s: %s%d%sQuiet,\n", f, a.Name, s.Bits, f)
				}
			}
			b.WriteString("},\n")
		}
		b.WriteString("}\n")
	}
}

func genMov(b *bytes.Buffer) {
	reg, mem, ext := parse(movRegText), parse(movText), parse(extendText)
	for _, s := range sizes {
		u := unit{size: s, Forms: forms}
		execute(b, reg, u)
		for _, f := range forms {
			execute(b, mem, u.With(f))
		}
	}
	b.WriteString("\nvar movHandlers = [3]operands{\n")
	for _, s := range sizes {
		b.WriteString("{\n")
		handlers(b, fmt.Sprintf("mov%d", s.Bits), []string{
			"RegRM", "RMReg", "RMImm", "RegMemFlat", "RegMemSeg", "MemRegFlat", "MemRegSeg", "MemImmFlat", "MemImmSeg",
		})
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	for _, name := range []string{"movzx", "movsx"} {
		fmt.Fprintf(b, "\n")
		for _, s := range sizes[:2] {
			e := "v"
			if name == "movsx" {
				e = fmt.Sprintf("uint32(int32(int%d(v)))", s.Bits)
			}
			execute(b, ext, unit{size: s, Name: name, Expr: e, Forms: forms})
		}
		fmt.Fprintf(b, "\nvar %sHandlers = [2]operands{\n", name)
		for _, s := range sizes[:2] {
			b.WriteString("{\n")
			handlers(b, fmt.Sprintf("%s%d", name, s.Bits), []string{"RegRM", "RegMemFlat", "RegMemSeg"})
			b.WriteString("},\n")
		}
		b.WriteString("}\n")
	}
}

func genJcc(b *bytes.Buffer) {
	t := parse(jccText)
	for _, c := range conditions {
		execute(b, t, unit{Name: c.Name, Expr: c.Expr})
	}
	b.WriteString("\n// jcc32 holds the handlers of JCC by condition code.\nvar jcc32 = [16]handler{")
	for _, c := range conditions {
		b.WriteString("jcc" + c.Name + ", ")
	}
	b.WriteString("}\n")
}
