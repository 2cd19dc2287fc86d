package cputest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"alpinevm/cpu/x86"
)

// extension is an opcode that some processor defines and the model does not.
type extension struct {
	name   string        // as the manuals name the feature
	prefix x86.PrefixSet // mandatory prefixes under which it is defined
	lo, hi uint32        // opcodes, with their escapes
	modRM  string        // "" for any, "mem", "reg", "/6", "mem /45", or one byte such as "F8"
}

// extensions is what 64-bit processors of Intel, AMD, VIA and Zhaoxin define beyond
// the model: the opcode maps of the SDM (vol. 2D appendix A), Intel's instruction set
// extensions programming reference, AMD's APM (vol. 3 appendix A) and VIA's PadLock
// programming guide. A host may have any of them, whatever its CPUID says, since a
// hypervisor hides features that it cannot forbid. What is defined in 64-bit mode alone
// is here too. Cyrix, Geode and Transmeta made no 64-bit processor, and only such a one
// is ever asked. Hints (0F 18 to 0F 1F: MPX, CLDEMOTE, ENDBR, RDSSP, PREFETCHIT) are
// NOPs for the model and where they are not there.
var extensions = []extension{
	// One byte.
	{"AVX-512, APX: EVEX for BOUND of a register", x86.NP, 0x62, 0x62, "reg"},
	{"XOP, TBM, LWP: map_select of 8 and more for POP", x86.NP, 0x8F, 0x8F, "/123567"},
	{"AVX, BMI, AMX and what else is VEX for LES and LDS of a register", x86.NP, 0xC4, 0xC5, "reg"},
	{"RTM: XABORT, XBEGIN", x86.Any, 0xC6, 0xC7, "F8"},

	// Groups 6 and 7. Intel forbids prefixes that select nothing, AMD ignores them.
	{"LKGS", x86.PF2, 0x0F00, 0x0F00, "/6"},
	{"CET: RSTORSSP", x86.PF3, 0x0F01, 0x0F01, "mem /5"},
	{"SGX: ENCLV", x86.Any, 0x0F01, 0x0F01, "C0"},
	{"VMX: VMCALL", x86.Any, 0x0F01, 0x0F01, "C1"},
	{"VMX: VMLAUNCH", x86.Any, 0x0F01, 0x0F01, "C2"},
	{"VMX: VMRESUME", x86.Any, 0x0F01, 0x0F01, "C3"},
	{"VMX: VMXOFF", x86.Any, 0x0F01, 0x0F01, "C4"},
	{"PCONFIG", x86.Any, 0x0F01, 0x0F01, "C5"},
	{"WRMSRNS, RDMSRLIST, WRMSRLIST", x86.Any, 0x0F01, 0x0F01, "C6"},
	{"PBNDKB", x86.Any, 0x0F01, 0x0F01, "C7"},
	{"MONITOR", x86.Any, 0x0F01, 0x0F01, "C8"},
	{"MWAIT", x86.Any, 0x0F01, 0x0F01, "C9"},
	{"SMAP: CLAC; FRED: ERETU, ERETS", x86.Any, 0x0F01, 0x0F01, "CA"},
	{"SMAP: STAC", x86.Any, 0x0F01, 0x0F01, "CB"},
	{"TDX: TDCALL", x86.P66, 0x0F01, 0x0F01, "CC"},
	{"TDX: SEAMRET", x86.P66, 0x0F01, 0x0F01, "CD"},
	{"TDX: SEAMOPS", x86.P66, 0x0F01, 0x0F01, "CE"},
	{"SGX: ENCLS; TDX: SEAMCALL", x86.Any, 0x0F01, 0x0F01, "CF"},
	{"XSAVE: XGETBV", x86.Any, 0x0F01, 0x0F01, "D0"},
	{"XSAVE: XSETBV", x86.Any, 0x0F01, 0x0F01, "D1"},
	{"VMX: VMFUNC", x86.Any, 0x0F01, 0x0F01, "D4"},
	{"RTM: XEND", x86.Any, 0x0F01, 0x0F01, "D5"},
	{"RTM, HLE: XTEST", x86.Any, 0x0F01, 0x0F01, "D6"},
	{"SGX: ENCLU", x86.Any, 0x0F01, 0x0F01, "D7"},
	{"SVM, VMGEXIT", x86.Any, 0x0F01, 0x0F01, "reg /3"},
	{"SERIALIZE; TSXLDTRK: XSUSLDTRK; CET: SETSSBSY", x86.NP | x86.PF3 | x86.PF2, 0x0F01, 0x0F01, "E8"},
	{"TSXLDTRK: XRESLDTRK", x86.PF2, 0x0F01, 0x0F01, "E9"},
	{"CET: SAVEPREVSSP", x86.PF3, 0x0F01, 0x0F01, "EA"},
	{"UINTR: UIRET", x86.PF3, 0x0F01, 0x0F01, "EC"},
	{"UINTR: TESTUI", x86.PF3, 0x0F01, 0x0F01, "ED"},
	{"PKU: RDPKRU; UINTR: CLUI", x86.Any, 0x0F01, 0x0F01, "EE"},
	{"PKU: WRPKRU; UINTR: STUI", x86.Any, 0x0F01, 0x0F01, "EF"},
	{"MONITORX, MCOMMIT", x86.Any, 0x0F01, 0x0F01, "FA"},
	{"MWAITX", x86.Any, 0x0F01, 0x0F01, "FB"},
	{"CLZERO", x86.Any, 0x0F01, 0x0F01, "FC"},
	{"RDPRU; SEV-SNP: RMPQUERY, RMPREAD", x86.Any, 0x0F01, 0x0F01, "FD"},
	{"INVLPGB; SEV-SNP: RMPADJUST, RMPUPDATE", x86.Any, 0x0F01, 0x0F01, "FE"},
	{"TLBSYNC; SEV-SNP: PVALIDATE, PSMASH", x86.Any, 0x0F01, 0x0F01, "FF"},

	// Two bytes.
	{"SYSCALL", x86.Any, 0x0F05, 0x0F05, ""},
	{"SYSRET", x86.Any, 0x0F07, 0x0F07, ""},
	{"3DNow!: FEMMS", x86.Any, 0x0F0E, 0x0F0E, ""},
	{"3DNow!", x86.Any, 0x0F0F, 0x0F0F, ""},
	{"SSE4a: MOVNTSS, MOVNTSD", x86.PF3 | x86.PF2, 0x0F2B, 0x0F2B, "mem"},
	{"SMX: GETSEC", x86.NP, 0x0F37, 0x0F37, ""},
	{"VIA alternate instructions", x86.Any, 0x0F3F, 0x0F3F, ""},
	{"VMX: VMREAD, VMWRITE", x86.NP, 0x0F78, 0x0F79, ""},
	{"SSE4a: EXTRQ by immediates", x86.P66, 0x0F78, 0x0F78, "reg /0"},
	{"SSE4a: EXTRQ", x86.P66, 0x0F79, 0x0F79, "reg"},
	{"SSE4a: INSERTQ", x86.PF2, 0x0F78, 0x0F79, "reg"},
	{"PadLock: hashes, big numbers", x86.Any, 0x0FA6, 0x0FA6, "reg"},
	{"PadLock: random numbers, ciphers", x86.Any, 0x0FA7, 0x0FA7, "reg"},
	{"XSAVE, XRSTOR", x86.NP, 0x0FAE, 0x0FAE, "mem /45"},
	{"XSAVEOPT; CLWB; CET: CLRSSBSY", x86.NP | x86.P66 | x86.PF3, 0x0FAE, 0x0FAE, "mem /6"},
	{"CLFLUSHOPT", x86.P66, 0x0FAE, 0x0FAE, "mem /7"},
	{"FSGSBASE", x86.PF3, 0x0FAE, 0x0FAE, "reg /0123"},
	{"PTWRITE", x86.PF3, 0x0FAE, 0x0FAE, "/4"},
	{"CET: INCSSP", x86.PF3, 0x0FAE, 0x0FAE, "reg /5"},
	{"WAITPKG: TPAUSE, UMONITOR, UMWAIT", x86.P66 | x86.PF3 | x86.PF2, 0x0FAE, 0x0FAE, "reg /6"},
	{"XSAVES, XSAVEC, XRSTORS", x86.NP, 0x0FC7, 0x0FC7, "mem /345"},
	{"VMX: VMPTRLD, VMCLEAR, VMXON", x86.NP | x86.P66 | x86.PF3, 0x0FC7, 0x0FC7, "mem /6"},
	{"VMX: VMPTRST", x86.NP, 0x0FC7, 0x0FC7, "mem /7"},
	{"UINTR: SENDUIPI", x86.PF3, 0x0FC7, 0x0FC7, "reg /6"},
	{"RDPID", x86.PF3, 0x0FC7, 0x0FC7, "reg /7"},

	// 0F 38.
	{"VMX: INVEPT, INVVPID; INVPCID", x86.P66, 0x0F3880, 0x0F3882, "mem"},
	{"MOVRS", x86.NP | x86.P66, 0x0F388A, 0x0F388B, "mem"},
	{"SHA", x86.NP, 0x0F38C8, 0x0F38CD, ""},
	{"GFNI: GF2P8MULB", x86.P66, 0x0F38CF, 0x0F38CF, ""},
	{"Key Locker: wide", x86.PF3, 0x0F38D8, 0x0F38D8, "mem /0123"},
	{"Key Locker: LOADIWKEY", x86.PF3, 0x0F38DC, 0x0F38DC, "reg"},
	{"Key Locker", x86.PF3, 0x0F38DC, 0x0F38DF, "mem"},
	{"CET: WRUSS", x86.P66, 0x0F38F5, 0x0F38F5, "mem"},
	{"CET: WRSS", x86.NP, 0x0F38F6, 0x0F38F6, "mem"},
	{"ADX", x86.P66 | x86.PF3, 0x0F38F6, 0x0F38F6, ""},
	{"MOVDIR64B; ENQCMD, ENQCMDS", x86.P66 | x86.PF3 | x86.PF2, 0x0F38F8, 0x0F38F8, "mem"},
	{"USER_MSR: URDMSR, UWRMSR", x86.PF3 | x86.PF2, 0x0F38F8, 0x0F38F8, "reg"},
	{"MOVDIRI", x86.NP, 0x0F38F9, 0x0F38F9, "mem"},
	{"Key Locker: ENCODEKEY128, ENCODEKEY256", x86.PF3, 0x0F38FA, 0x0F38FB, "reg"},
	{"RAO-INT: AADD, AAND, AXOR, AOR", x86.Any, 0x0F38FC, 0x0F38FC, "mem"},

	// 0F 3A.
	{"SHA: SHA1RNDS4", x86.NP, 0x0F3ACC, 0x0F3ACC, ""},
	{"GFNI: GF2P8AFFINEQB, GF2P8AFFINEINVQB", x86.P66, 0x0F3ACE, 0x0F3ACF, ""},
	{"HRESET", x86.PF3, 0x0F3AF0, 0x0F3AF0, "C0"},
}

// has says whether the extension covers an opcode under a prefix with a ModRM byte.
func (e *extension) has(prefix x86.PrefixSet, op uint32, modRM byte) bool {
	return e.prefix&prefix != 0 && e.lo <= op && op <= e.hi && modRMIn(e.modRM, modRM)
}

// modRMIn says whether a ModRM byte is of a kind, as extension.modRM writes it.
func modRMIn(kind string, b byte) bool {
	for _, word := range strings.Fields(kind) {
		switch regs, isReg := strings.CutPrefix(word, "/"); {
		case word == "mem" && b < 0xC0, word == "reg" && b >= 0xC0:
		case isReg && strings.IndexByte(regs, '0'+b>>3&7) >= 0:
		case word == fmt.Sprintf("%02X", b):
		default:
			return false
		}
	}
	return true
}

// extensionOf returns the row that covers an opcode, or nil.
func extensionOf(prefix x86.PrefixSet, op uint32, modRM byte) *extension {
	for i := range extensions {
		if e := &extensions[i]; e.has(prefix, op, modRM) {
			return e
		}
	}
	return nil
}

// TestExtensions: each row covers something that the model leaves undefined, and is
// written so that it can match.
func TestExtensions(t *testing.T) {
	for i := range extensions {
		e := &extensions[i]
		for _, word := range strings.Fields(e.modRM) {
			_, err := strconv.ParseUint(word, 16, 8)
			if word != "mem" && word != "reg" && word[0] != '/' && (err != nil || len(word) != 2) {
				t.Errorf("%s: ModRM %q", e.name, word)
			}
		}
		open := false
		for op := e.lo; op <= e.hi; op++ {
			for _, p := range mandatory {
				for m := range 256 {
					if !open && e.has(p.set, op, byte(m)) {
						var in x86.Inst
						code := append(opcode(p.code, op), byte(m), 0, 0, 0, 0, 0, 0, 0, 0, 0)
						open = x86.Decode(code, x86.Mode32, &in) == x86.Undefined
					}
				}
			}
		}
		if !open {
			t.Errorf("%s: the model has all of it, the row can go", e.name)
		}
	}
}
