package board

import (
	"alpinevm/devices"
	"alpinevm/devices/debugport"
	"alpinevm/devices/virtio"
)

// printed takes a byte that the guest has sent to COM1.
func (b *Board) printed(c byte) bool {
	if f := b.cfg.Hooks.Line; f != nil && c == '\n' {
		f(b.log.since(b.log.Start))
	}
	b.log.add(c)
	b.serial.put([]byte{c})
	return true
}

// debugConsole is a port whose bytes go to Config.Debug.
func (b *Board) debugConsole() devices.PortDevice {
	return debugport.Console(func(c byte) { b.debug.put([]byte{c}) })
}

// plugConsole adds the virtio console and connects it.
func (b *Board) plugConsole(c *Console) error {
	b.console = virtio.NewConsole(b.mem, c.Cols, c.Rows)
	b.terminal = newOutlet(c.Out, b.Kick)
	if c.In != nil {
		b.keys = newInlet(c.In, b.Kick, b.console.Input, func(error) {})
	}
	return b.plug("console", b.console)
}

// Resize tells the guest the console's size in characters.
func (b *Board) Resize(cols, rows uint16) {
	if b.console != nil {
		b.console.Resize(cols, rows)
	}
}

// Announce tells the guest the console's size again.
func (b *Board) Announce() {
	if b.console != nil {
		b.console.Announce()
	}
}

// pump moves bytes between the console and the host.
func (b *Board) pump() {
	if b.console == nil {
		return
	}
	for b.console.Buffered() > 0 && !b.terminal.full() {
		var buf [4096]byte
		b.terminal.put(buf[:b.console.ReadOutput(buf[:])])
	}
	if b.keys != nil {
		b.keys.pump()
	}
}

// outputFull says that what the guest prints has nowhere to go.
func (b *Board) outputFull() bool {
	return b.trace != nil && b.trace.out.full() || b.serial.full() || b.debug.full() || b.terminal != nil && b.terminal.full()
}

// Drained says that all output has reached the host.
func (b *Board) Drained() bool {
	b.pump()
	return (b.trace == nil || b.trace.out.empty()) && b.serial.empty() && b.debug.empty() && (b.terminal == nil || b.terminal.empty() && b.console.Buffered() == 0) &&
		(b.cfg.Hooks.Idle == nil || b.cfg.Hooks.Idle())
}
