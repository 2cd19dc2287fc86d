//go:build race

package costtest

// raceSlowness is how many times as long as the rest the race detector may make work take.
const raceSlowness = 20
