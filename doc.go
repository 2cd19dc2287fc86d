// Package alpinevm is a PC in pure Go that boots 32-bit Linux.
package alpinevm
