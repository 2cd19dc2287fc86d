package cpu

import "testing"

// attachEngine makes a new CPU of a test use the engine under test: the
// interpreter alone, or the one that SetTestEngine has set.
var (
	attachEngine = func(testing.TB, *CPU) {}
	otherEngine  bool
	// callsAllocate says that what runs the engine's code allocates to call it.
	callsAllocate bool
)

// newCPU is New with that engine.
func newCPU(t testing.TB, cfg Config) (*CPU, error) {
	c, err := New(cfg)
	if err == nil {
		attachEngine(t, c)
	}
	return c, err
}

// SetTestEngine is for the external test package, which may import back ends.
// allocates says that what runs the engine's code does so.
func SetTestEngine(f func(testing.TB, *CPU), allocates bool) {
	attachEngine, otherEngine, callsAllocate = f, true, allocates
}
