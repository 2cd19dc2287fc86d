package board

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
	"alpinevm/devices/acpi"
	"alpinevm/devices/debugport"
	"alpinevm/devices/fwcfg"
	"alpinevm/devices/i8042"
	"alpinevm/devices/pci"
	"alpinevm/devices/pic"
	"alpinevm/devices/pit"
	"alpinevm/devices/rtc"
	"alpinevm/devices/uart"
	"alpinevm/devices/virtio"
)

// State is all that a board remembers besides its memory, as plain data.
//
// Not in it is what belongs to the host: what an outlet's writer has already,
// what other goroutines have still to say by Kick, and how fast the host is.
// Timers are armed again by the devices that they belong to.
type State struct {
	Now   time.Duration // guest time
	Start int64         // what the calendar showed at time 0: nanoseconds since 1970

	CPU   cpu.State
	PIC   pic.State
	PIT   pit.State
	RTC   rtc.State
	I8042 i8042.State
	COM1  uart.State
	COM2  uart.State
	ACPI  acpi.State
	POST  debugport.State
	PCI   pci.State
	FwCfg fwcfg.State // zero without firmware

	Entropy  virtio.RNGState
	Consoles []virtio.ConsoleState // one, or none
	Cards    []virtio.NetState
	Files    []FilesState

	// RDRAND and Drawn are the random numbers of a repeatable machine, which it
	// has from the processor and from the entropy device; 0 where they are the
	// host's.
	RDRAND, Drawn uint64

	Log LogState
	// What waits for the host's streams, and what has come from them.
	Serial, Debug, Terminal []byte
	Keys, Received          []byte
}

// RAM is a board's memory, for whoever saves or restores it between two steps.
type RAM interface {
	io.ReaderAt
	io.WriterAt
	Size() uint32 // in bytes
}

// RAM gives the memory.
func (b *Board) RAM() RAM { return b.mem }

// Adopt makes the memory, which nothing has been loaded into yet, what an image
// holds.
func (b *Board) Adopt(ram *mem.Image) error { return b.mem.Adopt(ram) }

// Freeze gives a copy of the memory, between two steps.
func (b *Board) Freeze() (*mem.Image, error) { return b.mem.Freeze() }

// Still gives the memory itself, as it is until the next step.
func (b *Board) Still() *mem.Image { return b.mem.Still() }

// FilesState is the state of the 9P device with that mount tag. Its server's is
// its own.
type FilesState struct {
	Tag string
	virtio.P9State
}

// errOff is of a board that has ended: nothing goes on from it.
var errOff = errors.New("the machine is off")

// Save gives a copy of the state, between two steps.
func (b *Board) Save() (*State, error) {
	b.kicks.drain()
	if b.off {
		return nil, errOff
	}
	s := &State{
		Now: b.clock.Now(), Start: b.start.UnixNano(),
		CPU: b.cpu.Save(),
		PIC: b.pic.Save(), PIT: b.pit.Save(), RTC: b.rtc.Save(), I8042: b.i8042.Save(), COM1: b.com1.Save(), COM2: b.com2.Save(),
		ACPI: b.acpi.Save(), POST: b.post.Save(), PCI: b.pci.Save(), Entropy: b.entropy.Save(),
		Log: b.log, Serial: b.serial.save(), Debug: b.debug.save(),
	}
	if b.fwcfg != nil {
		s.FwCfg = b.fwcfg.Save()
	}
	if b.rdrand != nil {
		s.RDRAND, s.Drawn = b.rdrand.x, b.drawn.x
	}
	for _, card := range b.cards {
		s.Cards = append(s.Cards, card.Save())
	}
	for _, f := range b.files {
		s.Files = append(s.Files, FilesState{f.tag, f.Save()})
	}
	if b.console != nil {
		s.Consoles, s.Terminal = []virtio.ConsoleState{b.console.Save()}, b.terminal.save()
	}
	if b.keys != nil {
		s.Keys = b.keys.save()
	}
	if b.received != nil {
		s.Received = b.received.save()
	}
	return s, nil
}

// Restore puts a saved state into a board that was made as the saved one was and
// has not run; its memory is restored before. The image is what the guest's next
// reset starts. After an error the board is of no use.
func (b *Board) Restore(image Image, s *State) error {
	b.image = image
	if image.Firmware != nil {
		if err := b.mapFirmware(); err != nil {
			return err
		}
	}
	// What a device's outputs lead to comes before it.
	for _, part := range []struct {
		name    string
		restore func() error
	}{
		{"processor", func() error { return b.cpu.Restore(s.CPU) }},
		{"clock", func() error { return b.restoreClock(s) }},
		{"pic", func() error { return b.pic.Restore(s.PIC) }},
		{"pit", func() error { return b.pit.Restore(s.PIT) }},
		{"rtc", func() error { return b.restoreRTC(s.RTC) }},
		{"i8042", func() error { return b.i8042.Restore(s.I8042) }},
		{"com1", func() error { return b.com1.Restore(s.COM1) }},
		{"com2", func() error { return b.com2.Restore(s.COM2) }},
		{"acpi", func() error { return b.acpi.Restore(s.ACPI) }},
		{"post", func() error { return b.post.Restore(s.POST) }},
		{"pci", func() error { return b.pci.Restore(s.PCI) }},
		{"entropy", func() error { return b.entropy.Restore(s.Entropy) }},
		{"fwcfg", func() error { return b.restoreFwCfg(s.FwCfg) }},
		{"random numbers", func() error { return b.restoreRandom(s) }},
		{"console", func() error { return b.restoreConsole(s) }},
		{"network", func() error { return b.restoreCards(s) }},
		{"files", func() error { return b.restoreFiles(s) }},
		{"streams", func() error { return b.restoreStreams(s) }},
	} {
		if err := part.restore(); err != nil {
			return fmt.Errorf("restore: %s: %w", part.name, err)
		}
	}
	return nil
}

// restoreFwCfg goes on with what firmware reads.
func (b *Board) restoreFwCfg(s fwcfg.State) error {
	if b.fwcfg == nil {
		return nil
	}
	return b.fwcfg.Restore(s)
}

// lastTime is far from where sums of times overflow.
const lastTime = never / 4

// restoreClock goes on with the guest's time. The count of instructions is there
// before it.
func (b *Board) restoreClock(s *State) error {
	if s.Now < 0 || s.Now > lastTime {
		return fmt.Errorf("guest time %v", s.Now)
	}
	b.clock.begin(s.Now)
	if old := time.Unix(0, s.Start).UTC(); b.cfg.Deterministic {
		b.start = old
	} else {
		b.start = time.Now().Add(-s.Now)
		b.rested = b.start.Sub(old)
	}
	return nil
}

// restoreRTC goes on with a calendar that shows the date as it is now.
func (b *Board) restoreRTC(s rtc.State) error {
	if err := b.rtc.Restore(s); err != nil {
		return err
	}
	b.rtc.Advance(int64(b.rested.Round(time.Second) / time.Second))
	return nil
}

// restoreRandom goes on with a repeatable machine's random numbers. Others draw
// new ones.
func (b *Board) restoreRandom(s *State) error {
	if repeatable := s.RDRAND != 0 && s.Drawn != 0; repeatable != (b.rdrand != nil) {
		return errors.New("one of the two machines is deterministic, the other is not")
	}
	if b.rdrand != nil {
		b.rdrand.x, b.drawn.x = s.RDRAND, s.Drawn
	}
	return nil
}

func (b *Board) restoreConsole(s *State) error {
	had, has := len(s.Consoles), 0
	if b.console != nil {
		has = 1
	}
	if had != has {
		return fmt.Errorf("there is %d, and was %d", has, had)
	}
	if has == 0 {
		return nil
	}
	return b.console.Restore(s.Consoles[0])
}

func (b *Board) restoreCards(s *State) error {
	if len(s.Cards) != len(b.cards) {
		return fmt.Errorf("there are %d cards, and were %d", len(b.cards), len(s.Cards))
	}
	for i, card := range b.cards {
		if err := card.Restore(s.Cards[i]); err != nil {
			return err
		}
	}
	return nil
}

// restoreFiles restores the 9P devices, whose servers are. Each is found by its
// tag.
func (b *Board) restoreFiles(s *State) error {
	if len(s.Files) != len(b.files) {
		return fmt.Errorf("there are %d 9P devices, and were %d", len(b.files), len(s.Files))
	}
	for _, f := range b.files {
		i := slices.IndexFunc(s.Files, func(old FilesState) bool { return old.Tag == f.tag })
		if i < 0 {
			return fmt.Errorf("the 9P device %q was not there", f.tag)
		}
		if err := f.Restore(s.Files[i].P9State); err != nil {
			return fmt.Errorf("%s: %w", f.tag, err)
		}
	}
	return nil
}

// restoreStreams goes on with what was on its way. Where there is no stream any
// more it is lost.
func (b *Board) restoreStreams(s *State) error {
	if err := s.Log.check(); err != nil {
		return err
	}
	b.log = s.Log
	b.serial.put(s.Serial)
	b.debug.put(s.Debug)
	if b.terminal != nil {
		b.terminal.put(s.Terminal)
	}
	if b.keys != nil {
		b.keys.kept = s.Keys
	}
	if b.received != nil {
		b.received.kept = s.Received
	}
	return nil
}
