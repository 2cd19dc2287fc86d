//go:build race

package fs9p

const raceEnabled = true
