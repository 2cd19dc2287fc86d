package x86

// Feature is the CPUID bit that announces a form.
type Feature uint8

// Features, by their names in SDM vol. 2A, CPUID. Base is the 486's set without
// its FPU.
const (
	Base Feature = iota
	FeatureFPU
	FeatureTSC
	FeatureMSR
	FeatureCX8
	FeatureSEP
	FeatureCMOV
	FeatureCLFSH
	FeatureMMX
	FeatureFXSR
	FeatureSSE
	FeatureSSE2
	FeatureSSE3
	FeatureSSSE3
	FeatureRDTSCP
	FeatureRDRAND
	FeatureRDSEED
	FeaturePOPCNT
	FeatureMOVBE
	FeatureSSE41
	FeatureSSE42
	FeatureAES
	FeaturePCLMULQDQ
	FeatureSMAP

	NumFeatures
)

// FeatureBit is where CPUID announces a feature: the leaf (of subleaf 0), the
// register, numbered in the order EAX, EBX, ECX, EDX, and the bit.
type FeatureBit struct {
	Leaf uint32
	Reg  uint8
	Bit  uint8
}

const (
	inEBX = 1
	inECX = 2
	inEDX = 3
)

var featureTable = [NumFeatures]struct {
	name string
	at   FeatureBit
}{
	Base:             {name: "the 486's instructions"},
	FeatureFPU:       {"FPU", FeatureBit{1, inEDX, 0}},
	FeatureTSC:       {"TSC", FeatureBit{1, inEDX, 4}},
	FeatureMSR:       {"MSR", FeatureBit{1, inEDX, 5}},
	FeatureCX8:       {"CX8", FeatureBit{1, inEDX, 8}},
	FeatureSEP:       {"SEP", FeatureBit{1, inEDX, 11}},
	FeatureCMOV:      {"CMOV", FeatureBit{1, inEDX, 15}},
	FeatureCLFSH:     {"CLFSH", FeatureBit{1, inEDX, 19}},
	FeatureMMX:       {"MMX", FeatureBit{1, inEDX, 23}},
	FeatureFXSR:      {"FXSR", FeatureBit{1, inEDX, 24}},
	FeatureSSE:       {"SSE", FeatureBit{1, inEDX, 25}},
	FeatureSSE2:      {"SSE2", FeatureBit{1, inEDX, 26}},
	FeatureSSE3:      {"SSE3", FeatureBit{1, inECX, 0}},
	FeaturePCLMULQDQ: {"PCLMULQDQ", FeatureBit{1, inECX, 1}},
	FeatureSSSE3:     {"SSSE3", FeatureBit{1, inECX, 9}},
	FeatureSSE41:     {"SSE4.1", FeatureBit{1, inECX, 19}},
	FeatureSSE42:     {"SSE4.2", FeatureBit{1, inECX, 20}},
	FeatureMOVBE:     {"MOVBE", FeatureBit{1, inECX, 22}},
	FeaturePOPCNT:    {"POPCNT", FeatureBit{1, inECX, 23}},
	FeatureAES:       {"AES", FeatureBit{1, inECX, 25}},
	FeatureRDRAND:    {"RDRAND", FeatureBit{1, inECX, 30}},
	FeatureRDSEED:    {"RDSEED", FeatureBit{7, inEBX, 18}},
	FeatureSMAP:      {"SMAP", FeatureBit{7, inEBX, 20}},
	FeatureRDTSCP:    {"RDTSCP", FeatureBit{0x80000001, inEDX, 27}},
}

// String returns the name of the feature.
func (f Feature) String() string {
	if f >= NumFeatures {
		return "?"
	}
	return featureTable[f].name
}

// Bit returns where CPUID announces the feature. Base has no such bit: its Leaf
// is 0.
func (f Feature) Bit() FeatureBit { return featureTable[f].at }
