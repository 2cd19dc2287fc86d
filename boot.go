package alpinevm

import (
	"errors"
	"fmt"

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
func (m *Machine) firmware() bios.Config {
	cfg := bios.Config{
		RAM: uint64(m.mem.Size()), PCIBase: mmioBase, PCIEnd: mmioEnd,
		SCI: irqSCI, PM1Event: portACPI + acpi.EventBlock, PM1Control: portACPI + acpi.ControlBlock, PMTimer: portACPI + acpi.TimerBlock,
		SleepOff: acpi.SleepOff, ResetPort: portReset, ResetValue: resetValue,
		RTC:    bios.Device{Port: portCMOS, Count: 2, IRQ: irqRTC},
		Serial: []bios.Device{{Port: portCOM1, Count: 8, IRQ: irqCOM1}, {Port: portCOM2, Count: 8, IRQ: irqCOM2}},
	}
	for slot := range m.pci.Pins() {
		for pin := uint8(1); pin <= 4; pin++ {
			cfg.Interrupts = append(cfg.Interrupts, bios.Interrupt{Slot: slot, Pin: pin, Line: pciRouting.Line(slot, pin)})
		}
	}
	return cfg
}

// boot puts the machine where firmware and boot loader leave it: everything is
// loaded and the processor is at the first instruction.
func (m *Machine) boot() error {
	if m.cfg.Firmware != nil {
		return m.bootFirmware()
	}
	fw := m.firmware()
	info, err := bios.Write(m.mem, fw)
	if err != nil {
		return err
	}
	if err := bios.AssignPCI(m.bus, fw); err != nil {
		return err
	}
	bios.SetUpChips(m.bus, irqSCI, irqPCI1, irqPCI2)
	p := kernel.Params{
		Layout:  kernel.Layout{Params: kernelParams, Cmdline: kernelCmdline, SetupData: kernelSetup},
		Cmdline: m.cmdline, Initrd: m.initrd, Modules: m.cfg.ModuleFiles,
		RSDP: uint32(info.RSDP), Seed: m.seed(), Cache: m.cfg.KernelCache,
	}
	p.Layout.InitrdTop = highest(info.Memory)
	for _, r := range info.Memory {
		p.Memory = append(p.Memory, kernel.MemoryRange{Base: r.Base, Size: r.Size, Type: r.Type})
	}
	e, err := m.kernel.Load(m.mem, p)
	if err != nil {
		return err
	}
	m.enterProtected(e, info)
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
func (m *Machine) enterProtected(e kernel.Entry, info bios.Info) {
	s := &m.cpu.State
	s.CR0 |= 1
	s.GDTR = cpu.TableReg{Base: info.GDT, Limit: info.GDTLimit}
	s.IDTR = cpu.TableReg{}
	const data = cpu.AttrP | cpu.AttrS | cpu.AttrWritable | cpu.AttrAccessed | cpu.AttrDB | cpu.AttrG
	for i := range 6 {
		s.Seg[i] = cpu.Seg{Sel: bios.DataSelector, Limit: 0xffffffff, Attr: data}
	}
	s.Seg[x86.CS].Sel, s.Seg[x86.CS].Attr = bios.CodeSelector, data|cpu.AttrCode
	s.R = [16]uint32{x86.EAX: e.EAX, x86.EBX: e.EBX, x86.ESI: e.ESI}
	s.EIP = e.EIP
	m.cpu.Reload()
}

// bootFirmware maps a ROM image and starts at the reset vector.
func (m *Machine) bootFirmware() error {
	rom, err := bios.PlaceROM(m.cfg.Firmware)
	if err != nil {
		return &ConfigError{"Firmware", err}
	}
	if !m.romMapped {
		if err := m.mem.AddROM(rom.High, m.cfg.Firmware); err != nil {
			return err
		}
		m.romMapped = true
	}
	if _, err := m.mem.WriteAt(rom.Tail, int64(rom.Low)); err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	return nil
}

// restart is what a guest's reset does: everything starts from the loader.
func (m *Machine) restart() error {
	m.cpu.Reset()
	m.pic.Reset()
	m.pit.Reset()
	m.rtc.Reset()
	m.com1.Reset()
	m.com2.Reset()
	m.acpi.Reset()
	m.post.Reset()
	m.i8042.Reset()
	m.pci.Reset()
	if m.session != nil {
		if err := m.session.restart(); err != nil {
			return err
		}
	}
	if err := m.boot(); err != nil {
		return errors.Join(errors.New("restart the guest"), err)
	}
	return nil
}
