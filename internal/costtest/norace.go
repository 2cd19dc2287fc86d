//go:build !race

package costtest

const raceSlowness = 1
