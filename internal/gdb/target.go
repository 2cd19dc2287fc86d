package gdb

import (
	"fmt"
	"strings"
)

// describe describes the registers to gdb (its manual, appendix G: target descriptions).
func describe(features []feature) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n<architecture>i386</architecture>\n")
	for _, f := range features {
		fmt.Fprintf(&b, "<feature name=%q>\n", f.name)
		if f.name == featureSSE {
			b.WriteString(vectorTypes)
		}
		flagTypes(&b, f.name)
		for _, r := range f.registers {
			fmt.Fprintf(&b, "<reg name=%q bitsize=\"%d\" type=%q", r.name, 8*r.size, r.kind)
			if r.group != "" {
				fmt.Fprintf(&b, " group=%q", r.group)
			}
			b.WriteString("/>\n")
		}
		b.WriteString("</feature>\n")
	}
	b.WriteString("</target>\n")
	return b.String()
}

// vectorTypes are types that gdb wants to be told.
const vectorTypes = `<vector id="v4f" type="ieee_single" count="4"/>
<vector id="v2d" type="ieee_double" count="2"/>
<vector id="v16i8" type="int8" count="16"/>
<vector id="v8i16" type="int16" count="8"/>
<vector id="v4i32" type="int32" count="4"/>
<vector id="v2i64" type="int64" count="2"/>
<union id="vec128">
<field name="v4_float" type="v4f"/>
<field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/>
<field name="v8_int16" type="v8i16"/>
<field name="v4_int32" type="v4i32"/>
<field name="v2_int64" type="v2i64"/>
<field name="uint128" type="uint128"/>
</union>
`

// flagTypes name the bits of a feature's registers.
func flagTypes(b *strings.Builder, feature string) {
	for _, f := range flagRegisters() {
		if f.feature != feature {
			continue
		}
		fmt.Fprintf(b, "<flags id=%q size=\"4\">\n", f.id)
		for _, i := range bitsOf(f.names) {
			fmt.Fprintf(b, "<field name=%q start=\"%d\" end=\"%d\"/>\n", f.names[i], i, i)
		}
		b.WriteString("</flags>\n")
	}
}
