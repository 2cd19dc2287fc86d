package virtio

import (
	"fmt"
	"slices"
)

// save gives a copy of the state.
func (t *Transport) save() TransportState {
	s := t.st
	s.Queues = slices.Clone(s.Queues)
	return s
}

// check says what is wrong with a state that is to be restored. The guest's
// memory has been, since the rings are in it.
func (t *Transport) check(s *TransportState) error {
	if len(s.Queues) != len(t.queues) {
		return fmt.Errorf("virtio %d: %d queues, want %d", t.model.id, len(s.Queues), len(t.queues))
	}
	for i, q := range s.Queues {
		if err := t.queues[i].Check(q, t.model.queues[i]); err != nil {
			return fmt.Errorf("virtio %d: queue %d: %w", t.model.id, i, err)
		}
	}
	f := s.DriverFeatures
	switch agreed := f&^t.features() == 0 && f&featVersion1 != 0 && t.dev.accepts(f); {
	case s.Status&statusFeaturesOK != 0 && !agreed:
		return fmt.Errorf("virtio %d: features %#x", t.model.id, f)
	case s.Status&statusFeaturesOK == 0 && s.Status&statusDriverOK != 0:
		return fmt.Errorf("virtio %d: status %#x", t.model.id, s.Status)
	}
	return nil
}

// restore puts back a state that is right. Why the device asks for a reset, if it
// does, is not known any more.
func (t *Transport) restore(s TransportState) {
	queues := t.st.Queues
	copy(queues, s.Queues) // which the virtqueues refer to
	t.st, t.st.Queues, t.err = s, queues, nil
	t.irq.Set(t.st.ISR != 0)
}
