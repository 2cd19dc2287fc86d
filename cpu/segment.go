package cpu

// The selectors for moves of segment registers.
func selectPushSegment(t *translation) handler    { return nil }
func selectPopSegment(t *translation) handler     { return nil }
func selectMovToSegment(t *translation) handler   { return nil }
func selectMovFromSegment(t *translation) handler { return nil }
