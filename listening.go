package alpinevm

import "alpinevm/kernel"

// listens tells Consoles.Listening of a change.
func (m *Machine) listens(on bool) {
	if f := m.cfg.Consoles.Listening; f != nil && on != m.listening {
		f(on)
	}
	m.listening = on
}

// alwaysListens tells of a guest without a session that it is no Linux kernel
// that we boot: firmware, say, which may look at COM1 without a driver.
func (m *Machine) alwaysListens() bool {
	k := m.image.Kernel
	return m.session == nil && (k == nil || k.Kind == kernel.Multiboot || m.image.Firmware != nil)
}
