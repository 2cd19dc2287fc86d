package x86

// Op is a mnemonic as the SDM spells it.
type Op uint16

// Form is the number of a row of the opcode table.
type Form uint16
