package board

import (
	"errors"

	"alpinevm/bios"
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
	"alpinevm/devices/acpi"
	"alpinevm/kernel"
)

// resetValue is what the FADT has the guest write to port CF9h: a full reset
// (bits 1 and 2).
const resetValue = 6

// firmware says what package bios needs to know of the board.
func (b *Board) firmware() bios.Config {
	cfg := bios.Config{
		RAM: uint64(b.mem.Size()), PCIBase: mmioBase, PCIEnd: mmioEnd,
		SCI: irqSCI, PM1Event: portACPI + acpi.EventBlock, PM1Control: portACPI + acpi.ControlBlock, PMTimer: portACPI + acpi.TimerBlock, GPE: portACPI + acpi.GPEBlock,
		Generation: b.generation(),
		SleepOff:   acpi.SleepOff, ResetPort: portReset, ResetValue: resetValue,
		RTC:    bios.Device{Port: portCMOS, Count: 2, IRQ: irqRTC},
		Serial: []bios.Device{{Port: portCOM1, Count: 8, IRQ: irqCOM1}, {Port: portCOM2, Count: 8, IRQ: irqCOM2}},
	}
	for slot := range b.pci.Pins() {
		for pin := uint8(1); pin <= 4; pin++ {
			cfg.Interrupts = append(cfg.Interrupts, bios.Interrupt{Slot: slot, Pin: pin, Line: pciRouting.Line(slot, pin)})
		}
	}
	return cfg
}

// Image is what a board starts: a kernel, firmware, or a kernel by firmware.
type Image struct {
	Kernel  *kernel.Image
	Cmdline string
	Initrd  []byte
	Modules []kernel.Module // of a multiboot kernel
	Cache   kernel.Cache    // of unpacked kernels; nil: unpacked each time
	// Firmware is a ROM image of 64 KiB to 4 MiB that is entered at the reset
	// vector in real mode. With a Kernel it is one that reads QEMU's
	// configuration device, as SeaBIOS does.
	Firmware []byte
	// Later, where not nil, gives an image to start in the place of this one.
	Later func() (Image, error)
}

// Boot loads the image and puts the processor at its first instruction. The
// image is loaded again when the guest resets the board.
func (b *Board) Boot(image Image) error {
	b.image = image
	return b.boot()
}

// boot puts the board where firmware and boot loader leave it: everything is
// loaded and the processor is at the first instruction.
func (b *Board) boot() error {
	if later := b.image.Later; later != nil {
		var err error
		if b.image, err = later(); err != nil {
			return err
		}
	}
	if b.image.Firmware != nil {
		return b.bootFirmware()
	}
	fw := b.firmware()
	info, err := bios.Write(b.mem, fw)
	if err != nil {
		return err
	}
	if err := bios.AssignPCI(b.bus, fw); err != nil {
		return err
	}
	bios.SetUpChips(b.bus, irqSCI, irqPCI1, irqPCI2)
	p := kernel.Params{
		Layout:  kernel.Layout{Params: kernelParams, Cmdline: kernelCmdline, SetupData: kernelSetup},
		Cmdline: b.image.Cmdline, Initrd: b.image.Initrd, Modules: b.image.Modules,
		RSDP: uint32(info.RSDP), Seed: b.seed(), Cache: b.image.Cache,
	}
	p.Layout.InitrdTop = highest(info.Memory)
	for _, r := range info.Memory {
		p.Memory = append(p.Memory, kernel.MemoryRange{Base: r.Base, Size: r.Size, Type: r.Type})
	}
	e, err := b.image.Kernel.Load(b.mem, p)
	if err != nil {
		return err
	}
	b.enterProtected(e, info)
	return nil
}

// highest is the end of the highest usable memory that an initramfs may lie in.
func highest(ranges []bios.Range) uint32 {
	top := uint64(0)
	for _, r := range ranges {
		if r.Type == 1 {
			top = max(top, min(r.Base+r.Size, initrdTop))
		}
	}
	return uint32(top)
}

// enterProtected puts the processor where a boot loader would: flat 32-bit
// segments (boot protocol 2.15, "32-bit boot protocol"; Multiboot 0.6.96, 3.2).
func (b *Board) enterProtected(e kernel.Entry, info bios.Info) {
	s := &b.cpu.State
	s.CR0 |= 1
	s.GDTR = cpu.TableReg{Base: info.GDT, Limit: info.GDTLimit}
	s.IDTR = cpu.TableReg{Limit: info.IVTLimit} // as real mode has left it
	const data = cpu.AttrP | cpu.AttrS | cpu.AttrWritable | cpu.AttrAccessed | cpu.AttrDB | cpu.AttrG
	for i := range 6 {
		s.Seg[i] = cpu.Seg{Sel: bios.DataSelector, Limit: 0xffffffff, Attr: data}
	}
	s.Seg[x86.CS].Sel, s.Seg[x86.CS].Attr = bios.CodeSelector, data|cpu.AttrCode
	s.R = [16]uint32{x86.EAX: e.EAX, x86.EBX: e.EBX, x86.ESI: e.ESI}
	s.EIP = e.EIP
	b.cpu.Reload()
}

// restart is what a guest's reset does: everything starts from the loader.
func (b *Board) restart() error {
	b.cpu.Reset()
	b.pic.Reset()
	b.pit.Reset()
	b.rtc.Reset()
	b.com1.Reset()
	b.com2.Reset()
	b.acpi.Reset()
	b.post.Reset()
	b.i8042.Reset()
	b.pci.Reset()
	if b.fwcfg != nil {
		b.fwcfg.Reset()
	}
	if f := b.cfg.Hooks.Restart; f != nil {
		f()
	}
	if err := b.boot(); err != nil {
		return errors.Join(errors.New("restart the guest"), err)
	}
	return nil
}
