package board

import (
	"encoding/binary"
	"fmt"
	"io"

	"alpinevm/bios"
	"alpinevm/devices/fwcfg"
	"alpinevm/kernel"
)

// firmwareKeeps is what firmware may use at the end of RAM, in bytes.
const firmwareKeeps = 16 << 20

// FirmwareError is the error of a ROM image that is none.
type FirmwareError struct{ Err error }

func (e *FirmwareError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *FirmwareError) Unwrap() error { return e.Err }

// bootFirmware maps a ROM image and starts at the reset vector. A kernel that
// firmware is to start is in memory already, and in an option ROM.
func (b *Board) bootFirmware() error {
	rom, err := bios.PlaceROM(b.image.Firmware)
	if err != nil {
		return &FirmwareError{err}
	}
	if err := b.mapFirmware(); err != nil {
		return err
	}
	if _, err := b.mem.WriteAt(rom.Tail, int64(rom.Low)); err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	if b.image.Kernel == nil {
		return nil
	}
	_, err = b.loadReal(b.mem)
	return err
}

// loadReal writes a kernel to where firmware leaves it alone.
func (b *Board) loadReal(to io.WriterAt) (kernel.Real, error) {
	top := uint64(b.mem.Size()) - firmwareKeeps
	return b.image.Kernel.LoadReal(to, kernel.Params{
		Layout:  kernel.Layout{InitrdTop: uint32(min(top, initrdTop))},
		Memory:  []kernel.MemoryRange{{Base: 1 << 20, Size: top - 1<<20, Type: bios.RAM}},
		Cmdline: b.image.Cmdline, Initrd: b.image.Initrd,
	})
}

// mapFirmware maps the ROM image and plugs the device that firmware asks what
// there is, once.
func (b *Board) mapFirmware() error {
	rom, err := bios.PlaceROM(b.image.Firmware)
	if err != nil || b.fwcfg != nil {
		return err
	}
	files := []fwcfg.File{{Name: fileSerial, Data: binary.LittleEndian.AppendUint16(nil, portCOM1)}}
	if b.image.Kernel != nil {
		r, err := b.loadReal(nowhere{})
		if err != nil {
			return err
		}
		boot, err := bios.BootROM(bios.RealMode{Segment: r.Segment, Stack: r.Stack, Data: r.Data})
		if err != nil {
			return err
		}
		files = append(files, fwcfg.File{Name: fileKernel, Data: boot})
	}
	if err := b.mem.AddROM(rom.High, b.image.Firmware); err != nil {
		return err
	}
	if b.fwcfg, err = fwcfg.New(files); err != nil {
		return err
	}
	return b.bus.Claim(portFwCfg, fwcfg.Count, "fwcfg", b.fwcfg.Ports())
}

// nowhere is memory that is not to be changed.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Files of the configuration device that SeaBIOS looks for: the port of a serial
// port that is to be the console, and option ROMs.
const (
	fileSerial = "etc/sercon-port"
	fileKernel = "genroms/kernel"
)
