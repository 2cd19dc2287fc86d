// Package fwcfg models the firmware configuration device of QEMU, by which
// firmware such as SeaBIOS reads what the machine has for it: numbered items, of
// which one is a directory of named files.
//
// Source: QEMU, docs/specs/fw_cfg.rst. Modelled is the port interface: a selector
// and a data port, reading only. Writing and DMA are not, and not announced.
package fwcfg

import (
	"encoding/binary"
	"fmt"

	"alpinevm/devices"
)

// Ports of the device, by offset.
const (
	selector = 0
	data     = 1
	Count    = 2
)

// Items that are always there, and the first number of a file.
const (
	itemSignature = 0x0000
	itemID        = 0x0001
	itemDirectory = 0x0019
	firstFile     = 0x0020

	signature = "QEMU"
	id        = 1 // the port interface
	nameSize  = 56
)

// File is a named item.
type File struct {
	Name string // up to 55 bytes
	Data []byte
}

// Device is the device.
type Device struct {
	items map[uint16][]byte
	s     State
}

// State is the device's state.
type State struct {
	Item   uint16 // that was selected last
	Offset uint32 // of the byte of it that is read next
}

// New makes a device with files.
func New(files []File) (*Device, error) {
	d := &Device{items: map[uint16][]byte{
		itemSignature: []byte(signature),
		itemID:        binary.LittleEndian.AppendUint32(nil, id),
	}}
	directory := binary.BigEndian.AppendUint32(nil, uint32(len(files)))
	for i, f := range files {
		if f.Name == "" || len(f.Name) >= nameSize {
			return nil, fmt.Errorf("fwcfg: a file of the name %.60q", f.Name)
		}
		number := uint16(firstFile + i)
		directory = binary.BigEndian.AppendUint32(directory, uint32(len(f.Data)))
		directory = binary.BigEndian.AppendUint16(directory, number)
		directory = append(directory, 0, 0)
		directory = append(directory, f.Name...)
		directory = append(directory, make([]byte, nameSize-len(f.Name))...)
		d.items[number] = f.Data
	}
	d.items[itemDirectory] = directory
	return d, nil
}

// Reset selects the first item.
func (d *Device) Reset() { d.s = State{} }

// Save gives a copy of the state.
func (d *Device) Save() State { return d.s }

// Restore puts back a saved state.
func (d *Device) Restore(s State) error {
	d.s = s
	return nil
}

// Ports gives the selector and the data port.
func (d *Device) Ports() devices.PortDevice { return ports{d} }

type ports struct{ d *Device }

// In implements devices.PortDevice. What is wider than a byte gives as many
// bytes, the first one lowest, as an 8-bit port does.
func (p ports) In(off uint16, size int) uint32 {
	var v uint32
	for k := range size {
		if off+uint16(k) >= data {
			v |= uint32(p.d.next()) << (8 * k)
		}
	}
	return v
}

// Out implements devices.PortDevice: 16 bits to the selector select an item.
func (p ports) Out(off uint16, size int, v uint32) {
	if off == selector && size == 2 {
		p.d.s = State{Item: uint16(v)}
	}
}

// next gives the next byte of the item; zero behind its end, and of an item that
// is not there.
func (d *Device) next() uint8 {
	item := d.items[d.s.Item]
	if uint64(d.s.Offset) >= uint64(len(item)) {
		return 0
	}
	b := item[d.s.Offset]
	d.s.Offset++
	return b
}
