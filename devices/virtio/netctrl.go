package virtio

import "fmt"

// The control queue's commands (virtio 1.2, 5.1.6.5).
const (
	ctrlOK  = 0
	ctrlErr = 1

	ctrlRX         = 0
	ctrlRXCommands = 6 // promiscuous to no broadcast

	ctrlMAC         = 1
	ctrlMACTableSet = 0
	ctrlMACAddrSet  = 1

	ctrlMost = 64 << 10 // bytes of one command that are looked at
)

// control carries out the commands in the control queue. The link brings only
// what is for this card, so that receive filters have nothing to do.
func (d *Net) control() error {
	q := d.queues[netCtrl]
	for range q.Size {
		ok, err := q.Next(&d.chain)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		r := d.chain.Reader()
		if r.Len() < 2 || d.chain.WriteLen() < 1 {
			return fmt.Errorf("net: a control command of %d bytes with %d for the answer", r.Len(), d.chain.WriteLen())
		}
		cmd, err := r.Bytes(min(r.Len(), ctrlMost), &d.scratch)
		if err != nil {
			return err
		}
		ack := uint8(ctrlErr)
		if d.command(cmd[0], cmd[1], cmd[2:]) {
			ack = ctrlOK
		}
		w := d.chain.Writer()
		if _, err := w.Write([]byte{ack}); err != nil {
			return err
		}
		if err := q.Push(d.chain.Head, 1); err != nil {
			return err
		}
	}
	if err := q.Ask(true); err != nil {
		return err
	}
	return d.signal(netCtrl)
}

// command carries out one command and reports whether it could.
func (d *Net) command(class, cmd uint8, data []byte) bool {
	switch class {
	case ctrlRX:
		return d.has(netCtrlRX) && cmd < ctrlRXCommands && len(data) >= 1
	case ctrlMAC:
		switch cmd {
		case ctrlMACTableSet:
			return d.has(netCtrlRX)
		case ctrlMACAddrSet:
			if !d.has(netCtrlMACAddr) || len(data) < len(d.mac) {
				return false
			}
			copy(d.mac[:], data)
			return true
		}
	}
	return false
}
