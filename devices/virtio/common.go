package virtio

import "encoding/binary"

// The common configuration structure (virtio 1.2, 4.1.4.3).
const (
	regDeviceFeatureSelect = 0
	regDeviceFeature       = 4
	regDriverFeatureSelect = 8
	regDriverFeature       = 12
	regConfigVector        = 16
	regNumQueues           = 18
	regStatus              = 20
	regGeneration          = 21
	regQueueSelect         = 22
	regQueueSize           = 24
	regQueueVector         = 26
	regQueueEnable         = 28
	regQueueNotifyOff      = 30
	regQueueDesc           = 32
	regQueueDriver         = 40
	regQueueDevice         = 48
	regQueueReset          = 58
	commonSize             = 60
)

const noVector = 0xFFFF // VIRTIO_MSI_NO_VECTOR

// commonRead reads size bytes at off. Reads have no side effects, so that any
// width is served.
func (t *Transport) commonRead(off uint32, size int) uint32 {
	if off == regStatus && size == 1 {
		return uint32(t.st.Status)
	}
	var b [commonSize]byte
	le := binary.LittleEndian
	le.PutUint32(b[regDeviceFeatureSelect:], t.st.DeviceFeatureSelect)
	le.PutUint32(b[regDeviceFeature:], half(t.features(), t.st.DeviceFeatureSelect))
	le.PutUint32(b[regDriverFeatureSelect:], t.st.DriverFeatureSelect)
	le.PutUint32(b[regDriverFeature:], half(t.st.DriverFeatures, t.st.DriverFeatureSelect))
	le.PutUint16(b[regConfigVector:], noVector)
	le.PutUint16(b[regNumQueues:], uint16(len(t.queues)))
	b[regStatus] = t.st.Status
	b[regGeneration] = t.st.Generation
	le.PutUint16(b[regQueueSelect:], t.st.QueueSelect)
	le.PutUint16(b[regQueueVector:], noVector)
	// A queue that does not exist has size 0 (virtio 1.2, 4.1.5.1.3).
	if i := int(t.st.QueueSelect); i < len(t.queues) {
		q := t.queues[i]
		le.PutUint16(b[regQueueSize:], q.Size)
		if q.Enabled {
			le.PutUint16(b[regQueueEnable:], 1)
		}
		le.PutUint16(b[regQueueNotifyOff:], t.st.QueueSelect)
		le.PutUint64(b[regQueueDesc:], q.Desc)
		le.PutUint64(b[regQueueDriver:], q.Avail)
		le.PutUint64(b[regQueueDevice:], q.Used)
	}
	return extract(b[:], off, size)
}

// half is word sel of the 64 feature bits.
func half(bits uint64, sel uint32) uint32 {
	switch sel {
	case 0:
		return uint32(bits)
	case 1:
		return uint32(bits >> 32)
	}
	return 0
}

// replaceHalf stores v in the low (at 0) or high (at 4) word of bits.
func replaceHalf(bits uint64, at uint32, v uint32) uint64 {
	if at == 0 {
		return bits&^0xffffffff | uint64(v)
	}
	return bits&0xffffffff | uint64(v)<<32
}

// commonWrite writes a field. A write that has not the field's width, or not 4
// bytes for half of a 64-bit field, is ignored: drivers must not make one
// (virtio 1.2, 4.1.3.1).
func (t *Transport) commonWrite(off uint32, size int, v uint32) {
	switch {
	case size == 1 && off == regStatus:
		t.setStatus(uint8(v))
	case size == 2 && off == regQueueSelect:
		t.st.QueueSelect = uint16(v)
	case size == 2:
		t.queueWrite(off, uint16(v))
	case size == 4:
		t.commonWrite32(off, v)
	}
}

func (t *Transport) commonWrite32(off, v uint32) {
	switch off {
	case regDeviceFeatureSelect:
		t.st.DeviceFeatureSelect = v
	case regDriverFeatureSelect:
		t.st.DriverFeatureSelect = v
	case regDriverFeature:
		// What was agreed on stays (virtio 1.2, 3.1.1).
		if t.st.Status&statusFeaturesOK == 0 && t.st.DriverFeatureSelect < 2 {
			t.st.DriverFeatures = replaceHalf(t.st.DriverFeatures, 4*t.st.DriverFeatureSelect, v)
		}
	default:
		if off >= regQueueDesc && off < regQueueDevice+8 && off%4 == 0 {
			t.queueAddress(off, v)
		}
	}
}

// queueWrite writes a 16-bit field of the selected queue.
func (t *Transport) queueWrite(off uint32, v uint16) {
	i := int(t.st.QueueSelect)
	if i >= len(t.queues) {
		return
	}
	q := t.queues[i]
	switch off {
	case regQueueSize:
		if !q.Enabled && v != 0 && v&(v-1) == 0 && v <= t.model.queues[i] {
			q.Size = v
		}
	case regQueueEnable:
		if v == 1 {
			t.enable(i)
		}
	case regQueueReset:
		if v == 1 && t.has(featRingReset) {
			t.resetQueue(i)
		}
	}
}

// queueAddress writes one half of an address of the selected queue.
func (t *Transport) queueAddress(off, v uint32) {
	i := int(t.st.QueueSelect)
	if i >= len(t.queues) || t.queues[i].Enabled {
		return
	}
	q := t.queues[i]
	field := &q.Desc
	switch off &^ 7 {
	case regQueueDriver:
		field = &q.Avail
	case regQueueDevice:
		field = &q.Used
	}
	*field = replaceHalf(*field, off&4, v)
}
