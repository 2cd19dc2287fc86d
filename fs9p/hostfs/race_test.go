//go:build race

package hostfs

const raceEnabled = true
