package x86

// The lookup tables answer "which row" with one index by opcode and, for
// groups, a second one by mandatory prefix and ModRM. They are derived from Forms
// once, at start, and only read afterwards.

// node is what an opcode leads to. A table of a group starts at base in groups.
type node struct {
	base  uint16 // of a leaf, row + 1, or 0 where the opcode is reserved
	shape uint8
	modRM bool
}

// Shapes of nodes: how a group's table is indexed.
const (
	shapeLeaf   uint8 = iota
	shapeReg          // [reg]
	shapeModReg       // [mod == 3][reg]
	shapeRM           // 8 for memory by reg, then 64 for registers by reg and rm
	shapePfx          // [mandatory prefix]
	shapePfxModReg
	shapePfxRM
	shapePrefix // a prefix byte
	shapeEscape // 0F
)

// rmSize is the length of a table of shapeRM.
const rmSize = 8 + 64

// Bases of the opcode maps in lookup.nodes.
const (
	mapOne = 0x000
	map0F  = 0x100
	map38  = 0x200
	map3A  = 0x300
)

type lookup struct {
	nodes   [0x400]node
	groups  []uint16 // row + 1, or 0 where reserved
	actions []action // by row
}

// action is the part of a row that the decoder acts on.
type action struct {
	op     Op
	size   uint8 // OpSize, or 0 for the mode's
	imm    immKind
	from   regFrom
	reg    uint8 // for regFixed
	cond   uint8
	lockOK bool
	isCC   bool
	noMem  bool // mod is ignored
	offset bool // moffs follows
}

type immKind uint8

const (
	immNone immKind = iota
	imm8
	imm8s
	imm16
	immV  // 2 or 4 bytes, zero-extended
	immVs // 2 or 4 bytes, sign-extended
	immFar
	immEnter
)

type regFrom uint8

const (
	regModRM regFrom = iota
	regOpcode
	regFixed
)

var tables = buildLookup()

func buildLookup() *lookup {
	t := &lookup{actions: make([]action, len(Forms))}
	var rows [0x400][]int
	for i := range Forms {
		r := &Forms[i]
		t.actions[i] = newAction(r)
		for j := range r.Span() {
			k := nodeIndex(r.Code) + j
			rows[k] = append(rows[k], i)
		}
	}
	for k, list := range rows {
		if len(list) > 0 {
			t.nodes[k] = t.newNode(list)
		}
	}
	for _, b := range []byte{0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3} {
		t.nodes[b] = node{shape: shapePrefix}
	}
	t.nodes[0x0F] = node{shape: shapeEscape}
	t.nodes[map0F+0x38] = node{shape: shapeEscape}
	t.nodes[map0F+0x3A] = node{shape: shapeEscape}
	return t
}

func nodeIndex(code uint32) int {
	b := int(code & 0xFF)
	switch code >> 8 {
	case 0:
		return mapOne + b
	case 0x0F:
		return map0F + b
	case 0x0F38:
		return map38 + b
	case 0x0F3A:
		return map3A + b
	}
	panic("BUG: opcode outside the maps")
}

// newNode makes the narrowest table that tells the given rows apart.
func (t *lookup) newNode(list []int) node {
	var pfx, mod, reg, rm, modRM bool
	for _, i := range list {
		r := &Forms[i]
		pfx = pfx || r.Prefix != Any
		mod = mod || r.Sel&(selMem|selReg) != 0
		reg = reg || r.Sel&0xFF != 0
		rm = rm || r.Sel&selRM != 0
		modRM = modRM || r.HasModRM()
	}
	n := node{modRM: modRM}
	var size int
	var at func(k int) byte // the ModRM byte that slot k of the table stands for
	switch {
	case rm:
		n.shape, size = shapeRM, rmSize
		at = func(k int) byte {
			if k < 8 {
				return byte(k << 3)
			}
			return byte(0xC0 + k - 8)
		}
	case mod:
		n.shape, size = shapeModReg, 16
		at = func(k int) byte { return byte(k>>3)*0xC0 | byte(k&7)<<3 }
	case reg:
		n.shape, size = shapeReg, 8
		at = func(k int) byte { return byte(k << 3) }
	default:
		size = 1
		at = func(int) byte { return 0 }
	}
	if !pfx && size == 1 {
		n.base = uint16(list[0] + 1)
		return n
	}
	prefixes := []PrefixSet{Any}
	if pfx {
		prefixes = []PrefixSet{NP, P66, PF3, PF2}
		switch n.shape {
		case shapeLeaf:
			n.shape = shapePfx
		case shapeRM:
			n.shape = shapePfxRM
		default:
			n.shape = shapePfxModReg
			size = 16
			at = func(k int) byte { return byte(k>>3)*0xC0 | byte(k&7)<<3 }
		}
	}
	n.base = uint16(len(t.groups))
	for _, p := range prefixes {
		for k := range size {
			t.groups = append(t.groups, find(list, p, at(k)))
		}
	}
	return n
}

// find returns the first row that the prefix and the ModRM byte select, plus 1.
func find(list []int, p PrefixSet, modRM byte) uint16 {
	for _, i := range list {
		if r := &Forms[i]; r.Prefix&p != 0 && r.Sel.Match(modRM) {
			return uint16(i + 1)
		}
	}
	return 0
}

func newAction(r *FormRow) action {
	a := action{op: r.Op, cond: r.Cond, lockOK: r.Flags&LockOK != 0, isCC: r.Flags&CC != 0}
	bySize, v := false, false
	for _, arg := range r.Args {
		if argTable[arg].prop&argOp != 0 {
			bySize = true
			v = v || argTable[arg].size != 1
		}
		a.noMem = a.noMem || argTable[arg].prop&argForce != 0
		switch arg {
		case Zb, Zv:
			a.from = regOpcode
		case SegES, SegCS, SegSS, SegDS, SegFS, SegGS:
			a.from, a.reg = regFixed, uint8(arg-SegES)
		case Ob, Ov:
			a.offset = true
		case Ib:
			a.imm = imm8
			if r.Op == ENTER {
				a.imm = immEnter
			}
		case Ibs, Jb:
			a.imm = imm8s
		case Iw:
			a.imm = imm16
		case Iz:
			a.imm = immV
		case Jz:
			a.imm = immVs
		case Ap:
			a.imm = immFar
		}
	}
	switch {
	case bySize && !v:
		a.size = 1
	case !bySize && (r.Prefix != Any || a.noMem):
		a.size = 4
	}
	return a
}
