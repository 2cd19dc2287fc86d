// Package costtest holds work to a bound of processor time that holds on slower machines
// too, and on virtual ones, whose kernels count as work what the host has taken away
// meanwhile. Tests alone import it.
package costtest
