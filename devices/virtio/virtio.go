// Package virtio models virtio 1.2 devices on the modern PCI transport: 9p
// (type 9), console (type 3), entropy (type 4) and network (type 1).
//
// The transport (virtio 1.2, 4.1) has one memory BAR with the common, ISR,
// device and notification structures, and signals by INTx. It models no legacy
// interface and no MSI-X. The virtqueues are in package virtq.
//
// A device is passive: it works inside a call, that of the guest to its
// registers or that of its host side to an exported method, and never longer
// than one turn of the ring. All calls are on the machine goroutine. A guest
// that breaks a rule of the ring finds DEVICE_NEEDS_RESET in its status.
package virtio

import (
	"alpinevm/devices"
	"alpinevm/devices/virtio/virtq"
)

// Feature bits that belong to no device type (virtio 1.2, 6).
const (
	featIndirectDesc = 1 << 28
	featEventIdx     = 1 << 29
	featVersion1     = 1 << 32
	featRingReset    = 1 << 40
)

const transportFeatures = featIndirectDesc | featEventIdx | featVersion1 | featRingReset

// Device status bits (virtio 1.2, 2.1).
const (
	statusDriverOK   = 0x04
	statusFeaturesOK = 0x08
	statusNeedsReset = 0x40
)

// ISR status bits (virtio 1.2, 4.1.4.5).
const (
	isrQueue  = 1
	isrConfig = 2
)

// model is what sets one device type apart on the transport.
type model struct {
	id       uint16   // device type (virtio 1.2, 5)
	class    uint32   // PCI class code
	features uint64   // without those of the transport
	queues   []uint16 // the largest size of each
}

// backend is the device behind the transport.
type backend interface {
	// accepts reports whether the driver's choice of features, a subset of
	// those offered, is consistent.
	accepts(features uint64) bool
	// notify has the device look at queue q, which is live. An error puts the
	// device into DEVICE_NEEDS_RESET.
	notify(q int) error
	// config is the device configuration structure, as the guest reads it now.
	// Its length does not change; it is nil if the device has none.
	config() []byte
	// forget drops what is in flight in queue q: its buffers are the guest's
	// again.
	forget(q int)
}

// TransportState is all that the transport remembers.
type TransportState struct {
	Status     uint8
	ISR        uint8
	Generation uint8 // of the device configuration

	DeviceFeatureSelect uint32
	DriverFeatureSelect uint32
	DriverFeatures      uint64
	QueueSelect         uint16

	// The window that the PCI configuration access capability opens.
	WindowBAR    uint8
	WindowOffset uint32
	WindowLength uint32

	Queues []virtq.State // as many as the device has
}

// Transport is the PCI function of a virtio device. It implements
// devices.PCIFunction.
type Transport struct {
	st     TransportState
	model  model
	dev    backend
	queues []*virtq.Queue
	caps   [256 - capBase]byte

	irq       devices.IRQ
	busMaster func() bool
	err       error
}

type noIRQ struct{}

func (noIRQ) Set(bool) {}

// init makes t the transport of dev, in its power-on state.
func (t *Transport) init(m model, dev backend, mem virtq.Memory) {
	*t = Transport{
		st: TransportState{Queues: make([]virtq.State, len(m.queues))}, model: m, dev: dev,
		irq: noIRQ{}, busMaster: func() bool { return false },
	}
	t.caps = capabilities(len(dev.config()), len(m.queues))
	for i, size := range m.queues {
		t.queues = append(t.queues, virtq.New(&t.st.Queues[i], mem))
		t.queues[i].Reset(size)
	}
}

// Connect gives the function its interrupt line and tells it how to find out
// whether DMA is enabled (devices.PCIFunction).
func (t *Transport) Connect(irq devices.IRQ, busMaster func() bool) {
	t.irq, t.busMaster = irq, busMaster
}

// Reset puts the function into its power-on state (devices.PCIFunction).
func (t *Transport) Reset() {
	t.reset()
	t.st.WindowBAR, t.st.WindowOffset, t.st.WindowLength = 0, 0, 0
}

// Err is why the device asks for a reset, nil if it does not.
func (t *Transport) Err() error { return t.err }

// features is what the device offers.
func (t *Transport) features() uint64 { return t.model.features | transportFeatures }

// has reports whether all of bits were negotiated.
func (t *Transport) has(bits uint64) bool { return t.st.DriverFeatures&bits == bits }

// reset is the device reset of virtio 1.2, 2.4.
func (t *Transport) reset() {
	t.err = nil
	t.st.Status = 0
	t.st.DeviceFeatureSelect, t.st.DriverFeatureSelect = 0, 0
	t.st.DriverFeatures = 0
	t.st.QueueSelect = 0
	t.lower()
	for i := range t.queues {
		t.resetQueue(i)
	}
}

// resetQueue disables queue i (virtio 1.2, 2.6.1).
func (t *Transport) resetQueue(i int) {
	t.queues[i].Reset(t.model.queues[i])
	t.dev.forget(i)
}

// setStatus is a write of v to the device status (virtio 1.2, 2.1 and 3.1.1).
// A driver may only add bits; zero resets.
func (t *Transport) setStatus(v uint8) {
	if v == 0 {
		t.reset()
		return
	}
	rising := v &^ t.st.Status
	if rising&statusFeaturesOK != 0 && !t.negotiate() {
		rising &^= statusFeaturesOK
	}
	t.st.Status |= rising &^ (statusDriverOK | statusNeedsReset)
	if rising&statusDriverOK == 0 || t.st.Status&statusFeaturesOK == 0 {
		return
	}
	t.st.Status |= statusDriverOK
	if t.st.Status&statusNeedsReset != 0 {
		t.raise(isrConfig) // it broke before the driver could be told
		return
	}
	// A driver may fill its queues before this point, and the device may use
	// no buffer before it (virtio 1.2, 3.1.1): look at all of them now.
	for i := range t.queues {
		t.kick(i)
	}
}

// negotiate decides about the driver's features (virtio 1.2, 2.2.2 and 6.2).
func (t *Transport) negotiate() bool {
	f := t.st.DriverFeatures
	if f&^t.features() != 0 || f&featVersion1 == 0 || !t.dev.accepts(f) {
		return false
	}
	for _, q := range t.queues {
		q.Indirect = f&featIndirectDesc != 0
		q.EventIdx = f&featEventIdx != 0
	}
	return true
}

// enable starts the selected queue.
func (t *Transport) enable(i int) {
	q := t.queues[i]
	if q.Enabled {
		return
	}
	q.Indirect = t.has(featIndirectDesc)
	q.EventIdx = t.has(featEventIdx)
	if err := q.Enable(t.model.queues[i]); err != nil {
		t.fail(err)
	}
}

// live reports whether the device may use queue i.
func (t *Transport) live(i int) bool {
	return t.st.Status&(statusDriverOK|statusNeedsReset) == statusDriverOK &&
		t.queues[i].Enabled && t.busMaster()
}

// kick has the device look at queue i if it is live.
func (t *Transport) kick(i int) {
	if i >= len(t.queues) || !t.live(i) {
		return
	}
	if err := t.dev.notify(i); err != nil {
		t.fail(err)
	}
}

// signal interrupts the driver if it wants to know what was pushed to queue i.
func (t *Transport) signal(i int) error {
	want, err := t.queues[i].Signal()
	if want {
		t.raise(isrQueue)
	}
	return err
}

// configChanged tells the driver that the device configuration has changed
// (virtio 1.2, 2.5 and 4.1.4.3.1).
func (t *Transport) configChanged() {
	t.st.Generation++
	if t.st.Status&statusDriverOK != 0 {
		t.raise(isrConfig)
	}
}

// fail stops the device until the driver resets it (virtio 1.2, 2.1.2).
func (t *Transport) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.st.Status |= statusNeedsReset
	if t.st.Status&statusDriverOK != 0 {
		t.raise(isrConfig)
	}
}

func (t *Transport) raise(bits uint8) {
	t.st.ISR |= bits
	t.irq.Set(true)
}

func (t *Transport) lower() {
	t.st.ISR = 0
	t.irq.Set(false)
}
