package x86

// FlagUse says what an instruction does with EFLAGS (SDM vol. 1, appendix A).
// Where the manual leaves flags undefined, engines agree by what is said here:
// flags that are not written keep their values.
type FlagUse struct {
	Reads  uint32 // flags that the result depends on
	Writes uint32 // flags that may change
	Kills  uint32 // flags whose old value is lost whatever the operands are
}

const (
	flagsInc = FlagsArith &^ FlagCF
	flagsRot = FlagCF | FlagOF
	flagsSys = FlagTF | FlagIF | FlagDF | FlagIOPL | FlagNT | FlagRF | FlagVM | FlagAC | FlagVIF | FlagVIP | FlagID
)

// condReads is what each pair of condition codes depends on.
var condReads = [8]uint32{
	FlagOF, FlagCF, FlagZF, FlagCF | FlagZF, FlagSF, FlagPF, FlagSF | FlagOF, FlagSF | FlagOF | FlagZF,
}

// CondFlags returns the flags that condition code n depends on.
func CondFlags(n uint8) uint32 { return condReads[n>>1&7] }

var flagUses = [numOps]FlagUse{
	ADD:       {0, FlagsArith, FlagsArith},
	OR:        {0, FlagsArith, FlagsArith},
	ADC:       {FlagCF, FlagsArith, FlagsArith},
	SBB:       {FlagCF, FlagsArith, FlagsArith},
	AND:       {0, FlagsArith, FlagsArith},
	SUB:       {0, FlagsArith, FlagsArith},
	XOR:       {0, FlagsArith, FlagsArith},
	CMP:       {0, FlagsArith, FlagsArith},
	TEST:      {0, FlagsArith, FlagsArith},
	INC:       {0, flagsInc, flagsInc},
	DEC:       {0, flagsInc, flagsInc},
	NEG:       {0, FlagsArith, FlagsArith},
	MUL:       {0, FlagsArith, FlagsArith},
	IMUL:      {0, FlagsArith, FlagsArith},
	ROL:       {0, flagsRot, 0},
	ROR:       {0, flagsRot, 0},
	RCL:       {FlagCF, flagsRot, 0},
	RCR:       {FlagCF, flagsRot, 0},
	SHL:       {0, FlagsArith, 0},
	SHR:       {0, FlagsArith, 0},
	SAR:       {0, FlagsArith, 0},
	SHLD:      {0, FlagsArith, 0},
	SHRD:      {0, FlagsArith, 0},
	BT:        {0, FlagCF, FlagCF},
	BTS:       {0, FlagCF, FlagCF},
	BTR:       {0, FlagCF, FlagCF},
	BTC:       {0, FlagCF, FlagCF},
	BSF:       {0, FlagZF, FlagZF},
	BSR:       {0, FlagZF, FlagZF},
	DAA:       {FlagCF | FlagAF, FlagsArith, FlagsArith},
	DAS:       {FlagCF | FlagAF, FlagsArith, FlagsArith},
	AAA:       {FlagAF, FlagsArith, FlagsArith},
	AAS:       {FlagAF, FlagsArith, FlagsArith},
	AAM:       {0, FlagsArith, FlagsArith},
	AAD:       {0, FlagsArith, FlagsArith},
	INTO:      {FlagOF | flagsSys, 0, 0},
	XADD:      {0, FlagsArith, FlagsArith},
	CMPXCHG:   {0, FlagsArith, FlagsArith},
	CMPXCHG8B: {0, FlagZF, FlagZF},
	LOOPE:     {FlagZF, 0, 0},
	LOOPNE:    {FlagZF, 0, 0},
	SALC:      {FlagCF, 0, 0},
	LAHF:      {FlagCF | FlagPF | FlagAF | FlagZF | FlagSF, 0, 0},
	SAHF:      {0, FlagCF | FlagPF | FlagAF | FlagZF | FlagSF, FlagCF | FlagPF | FlagAF | FlagZF | FlagSF},
	CLC:       {0, FlagCF, FlagCF},
	STC:       {0, FlagCF, FlagCF},
	CMC:       {FlagCF, FlagCF, FlagCF},
	CLI:       {FlagIOPL, FlagIF | FlagVIF, 0},
	STI:       {FlagIOPL | FlagVIP, FlagIF | FlagVIF, 0},
	CLAC:      {0, FlagAC, FlagAC},
	STAC:      {0, FlagAC, FlagAC},
	CLD:       {0, FlagDF, FlagDF},
	STD:       {0, FlagDF, FlagDF},
	MOVS:      {FlagDF, 0, 0},
	CMPS:      {FlagDF, FlagsArith, 0}, // REP of no iterations changes nothing
	STOS:      {FlagDF, 0, 0},
	LODS:      {FlagDF, 0, 0},
	SCAS:      {FlagDF, FlagsArith, 0},
	INS:       {FlagDF | FlagIOPL, 0, 0},
	OUTS:      {FlagDF | FlagIOPL, 0, 0},
	IN:        {FlagIOPL, 0, 0},
	OUT:       {FlagIOPL, 0, 0},
	PUSHF:     {FlagsArith | flagsSys, 0, 0},
	POPF:      {FlagsArith | flagsSys, FlagsArith | flagsSys, FlagsArith},
	IRET:      {FlagsArith | flagsSys, FlagsArith | flagsSys, 0},
	INT:       {FlagsArith | flagsSys, flagsSys, 0},
	INT3:      {FlagsArith | flagsSys, flagsSys, 0},
	INT1:      {FlagsArith | flagsSys, flagsSys, 0},
	ARPL:      {0, FlagZF, FlagZF},
	LAR:       {0, FlagZF, FlagZF},
	LSL:       {0, FlagZF, FlagZF},
	VERR:      {0, FlagZF, FlagZF},
	VERW:      {0, FlagZF, FlagZF},
	CALLF:     {FlagsArith | flagsSys, FlagsArith | flagsSys, 0}, // a task switch
	JMPF:      {FlagsArith | flagsSys, FlagsArith | flagsSys, 0},
	SYSENTER:  {0, FlagIF | FlagVM | FlagRF, 0},
	POPCNT:    {0, FlagsArith, FlagsArith},
	PTEST:     {0, FlagsArith, FlagsArith},
	PCMPESTRM: {0, FlagsArith, FlagsArith},
	PCMPESTRI: {0, FlagsArith, FlagsArith},
	PCMPISTRM: {0, FlagsArith, FlagsArith},
	PCMPISTRI: {0, FlagsArith, FlagsArith},
	RDRAND:    {0, FlagsArith, FlagsArith},
	RDSEED:    {0, FlagsArith, FlagsArith},
	FCOMI:     {0, FlagsArith, FlagsArith},
	FCOMIP:    {0, FlagsArith, FlagsArith},
	FUCOMI:    {0, FlagsArith, FlagsArith},
	FUCOMIP:   {0, FlagsArith, FlagsArith},
	UCOMISS:   {0, FlagsArith, FlagsArith},
	UCOMISD:   {0, FlagsArith, FlagsArith},
	COMISS:    {0, FlagsArith, FlagsArith},
	COMISD:    {0, FlagsArith, FlagsArith},
}

// Flags returns what the instruction does with EFLAGS. A fault that it raises
// pushes all of them: an instruction that can fault keeps every flag alive,
// which is the caller's to see.
func (in *Inst) Flags() FlagUse {
	u := flagUses[in.Op]
	switch in.Op {
	case ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD:
		in.constantShift(&u)
	case JCC, SETCC, CMOVCC:
		u.Reads = CondFlags(in.Cond)
	case FCMOVCC:
		u.Reads = [4]uint32{FlagCF, FlagZF, FlagCF | FlagZF, FlagPF}[in.Cond&3]
	}
	return u
}

// constantShift makes exact what a shift by a constant does with the flags: by 0
// it leaves them alone.
func (in *Inst) constantShift(u *FlagUse) {
	n := uint32(1)
	for _, a := range in.Row().Args {
		switch a {
		case CL:
			return
		case Ib:
			n = in.Imm & 31
		}
	}
	if u.Kills = u.Writes; n == 0 {
		*u = FlagUse{}
	}
}
