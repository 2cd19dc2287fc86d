package gdb

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
)

// fake is a machine of one MiB that is held all the time, but for the moment of a Go.
type fake struct {
	cpu   *cpu.CPU
	ram   *mem.Memory
	went  []*Step
	off   bool
	reset int
}

func (f *fake) Kick(do func())                        { do() }
func (f *fake) CPU() *cpu.CPU                         { return f.cpu }
func (f *fake) Held() bool                            { return true }
func (f *fake) Hold()                                 {}
func (f *fake) Go(step *Step)                         { f.went = append(f.went, step) }
func (f *fake) Reset()                                { f.reset++ }
func (f *fake) SwitchOff()                            { f.off = true }
func (f *fake) ReadPhysical(p []byte, at uint64) int  { return f.physical(p, at, f.ram.ReadAt) }
func (f *fake) WritePhysical(p []byte, at uint64) int { return f.physical(p, at, f.ram.WriteAt) }

func (f *fake) physical(p []byte, at uint64, do func([]byte, int64) (int, error)) int {
	n, _ := do(p, int64(at))
	return n
}

func newFake(t testing.TB) *fake {
	m, err := mem.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		c.Seg[i].Base = 0
	}
	c.EIP = 0x1000
	c.Reload()
	return &fake{cpu: c, ram: m}
}

// TestPackets: what a client asks for, and what it gets, one after the other.
func TestPackets(t *testing.T) {
	f := newFake(t)
	s := newSession(f)
	long := strings.Repeat("f", 20)
	for _, tt := range []struct{ packet, want string }{
		{"?", "T05thread:01;"},
		{"qSupported:multiprocess+;swbreak+", "PacketSize=4000;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+"},
		{"vCont?", "vCont;c;C;s;S;r"},
		{"vMustReplyEmpty", ""}, {"qTStatus", ""}, {"Q", ""}, {"q", ""}, {"v", ""}, {"zz", "E22"}, {"", ""}, {"\xff", ""},
		{"qAttached", "1"}, {"qC", "QC1"}, {"qfThreadInfo", "m1"}, {"qsThreadInfo", "l"}, {"Hg0", "OK"}, {"Hc-1", "OK"}, {"T1", "OK"}, {"T2", "E22"}, {"Hg2", "E22"}, {"H", "E22"},
		{"qXfer:features:read:other.xml:0,100", "E02"}, {"qXfer:memory-map:read::0,100", ""},
		{"qXfer:features:read:target.xml:0,6", "m<?xml "}, {"qXfer:features:read:target.xml:ffffffff,ffffffff", "l"}, {"qXfer:features:read:target.xml:x", "E22"},
		// Registers.
		{"P0=78563412", "OK"}, {"p0", "78563412"}, {"P8=00200000", "OK"}, {"p8", "00200000"}, {"P0=12", "E22"}, {"P0=" + long, "E22"}, {"P999=00", "E22"}, {"p999", "E22"}, {"p", "E22"}, {"P", "E22"},
		{"P9=d7080000", "OK"}, {"p9", "d7080000"}, // EFLAGS
		{"P9=ffffffff", "OK"}, {"p9", "d77f3d00"}, // neither reserved bits nor VM
		{"Pa=34120000", "OK"}, {"pa", "34120000"}, {"Pa=34120100", "E22"}, // CS in real mode
		{"P10=0102030405060708ff7f", "OK"}, {"p10", "0102030405060708ff7f"}, // ST0
		{"P18=7f030000", "E22"},                                                                     // FCTRL
		{"P20=000102030405060708090a0b0c0d0e0f", "OK"}, {"p20", "000102030405060708090a0b0c0d0e0f"}, // XMM0
		{"p29", "10000060"}, {"P29=10000060", "OK"}, {"P29=10000080", "E22"}, // CR0
		{"G00", "E22"}, {"G", "E22"},
		// Memory.
		{"M1000,4:01020304", "OK"}, {"m1000,4", "01020304"}, {"m1001,0", ""}, {"M1000,4:0102", "E22"}, {"M1000,1:x", "E22"}, {"M1000", "E22"}, {"m", "E22"}, {"m1000", "E22"},
		{"X1000,0:", "OK"}, {"X1000,3:a}\x03b", "OK"}, {"m1000,3", "612362"}, {"X1000,ffffffff:a", "E22"}, {"X1000,1:}", "OK"}, {"m1000,1", "7d"},
		{"mfffff,2", "00"}, {"m100000,1", "E14"}, {"Mfffff,2:0102", "E14"}, {"mffffffff,ffffffff", "E14"}, {"m1ffffffff,1", "E22"},
		{"Qqemu.PhyMemMode:1", "OK"}, {"qqemu.PhyMemMode", "1"}, {"m1000,1", "7d"}, {"m100000,1", "E14"}, {"M100000,1:00", "E14"}, {"Qqemu.PhyMemMode:2", "E22"}, {"Qqemu.PhyMemMode:0", "OK"},
		// Breakpoints.
		{"Z0,1000,1", "OK"}, {"Z0,1000,1", "OK"}, {"z0,1000,1", "OK"}, {"z0,1000,1", "OK"}, {"Z1,1000,1;X1,0", "OK"}, {"Z2,1000,4", "OK"}, {"Z3,1000,0", "E22"}, {"Z5,0,1", ""}, {"Z0", "E22"}, {"Z0,x,1", "E22"},
		{"Z4,ffffffff,ffffffff", "OK"}, {"z2,1000,4", "OK"}, {"z3,1000,4", "OK"}, {"z4,ffffffff,ffffffff", "OK"}, {"z1,1000,1", "OK"},
		// Monitor commands, in hexadecimal digits.
		{"qRcmd,x", "E22"}, {"qRcmd," + hex.EncodeToString([]byte("interrupts on")), "OK"}, {"qRcmd," + hex.EncodeToString([]byte("interrupts")), hex.EncodeToString([]byte("on\n"))},
		{"qRcmd," + hex.EncodeToString([]byte("translate 0x1234")), hex.EncodeToString([]byte("00001234 is at physical 000001234\n"))},
		{"qRcmd," + hex.EncodeToString([]byte("reset")), hex.EncodeToString([]byte("the machine has been reset; \"maintenance flush register-cache\" has gdb look again\n"))},
		{"vCont;x", "E22"}, {"vCont;", "E22"}, {"vCont;r10", "E22"}, {"vCont;r10,10", "E22"}, {"cx", "E22"},
		{"vKill;1", "OK"}, {"D", "OK"},
	} {
		reply, wait := s.handle([]byte(tt.packet))
		if reply != tt.want || wait {
			t.Errorf("%q: %q, want %q; waits: %v", tt.packet, reply, tt.want, wait)
		}
	}
	if f.reset != 1 || !f.off || !s.detached || len(f.went) != 1 || f.went[0] != nil {
		t.Errorf("reset %d times, off %v, detached %v, went on %v", f.reset, f.off, s.detached, f.went)
	}
}

// TestSystemRegisters changes what the processor takes from an instruction, and is
// refused what it does not.
func TestSystemRegisters(t *testing.T) {
	f := newFake(t)
	s := newSession(f)
	for _, tt := range []struct{ packet, want string }{
		{"M8,8:ffff00000092cf00", "OK"}, {"M10,8:ffff0000009acf00", "OK"}, {"M18,8:ffff000000f2cf00", "OK"}, {"M20,8:ffff00000012cf00", "OK"}, // data, code, data of ring 3, absent data
		{"Pc=23010000", "OK"}, {"pc", "23010000"}, {"p32", "30120000"}, // DS in real mode, and its base
		{"P29=11000060", "OK"}, {"p29", "11000060"}, // PE
		{"Pc=08000000", "OK"}, {"pc", "08000000"}, {"p32", "00000000"}, {"Pc=18000000", "OK"},
		{"Pc=20000000", "E22"}, {"Pc=f0ff0000", "E22"}, {"Pc=08000100", "E22"}, {"pc", "18000000"}, // absent, none, no selector
		{"Pb=08000000", "OK"}, {"Pb=00000000", "E22"}, {"Pb=10000000", "E22"}, {"Pb=18000000", "E22"}, {"pb", "08000000"}, // SS: null, code, another ring's
		{"Pa=10000000", "OK"}, {"Pa=08000000", "E22"}, {"Pa=00000000", "E22"}, {"pa", "10000000"}, // CS: data, null
		{"Pd=00000000", "OK"}, {"pd", "00000000"},
		{"P29=11000080", "OK"}, {"m1000,1", "E14"}, {"P2b=00800000", "OK"}, {"p2b", "00800000"}, {"P29=11000060", "OK"}, {"m1000,1", "00"}, // PG, with no page, and CR3
		{"P29=100000a0", "E22"}, {"P29=11000020", "E22"}, {"p29", "11000060"}, // PG without PE, NW without CD
		{"P2c=10000000", "OK"}, {"p2c", "10000000"}, {"P2c=00000080", "E22"}, {"p2c", "10000000"}, // CR4: PSE, what there is not
		{"P2d=00080000", "E22"}, {"P2e=03000000", "E22"}, {"P31=00000100", "E22"}, {"P18=7f030000", "E22"}, // EFER, CPL, a base, FCTRL
	} {
		if reply, wait := s.handle([]byte(tt.packet)); reply != tt.want || wait {
			t.Errorf("%q: %q, want %q; waits: %v", tt.packet, reply, tt.want, wait)
		}
	}
	if f.cpu.CR2 != 0 || f.cpu.Fault.HasCode {
		t.Errorf("CR2 is %x, a fault is left: %+v", f.cpu.CR2, f.cpu.Fault)
	}
}

// TestResume: how far the machine is to go, and what is told when it stops.
func TestResume(t *testing.T) {
	f := newFake(t)
	s := newSession(f)
	s.handle([]byte("qSupported:swbreak+;hwbreak+"))
	for _, p := range []string{"Z0,2000,1", "Z1,3000,1", "Z2,1000,4", "Z3,1100,4", "Z4,1200,4"} {
		s.handle([]byte(p))
	}
	for _, tt := range []struct {
		packet string
		step   *Step
		eip    uint32
	}{
		{"c", nil, 0x1000}, {"C05", nil, 0x1000}, {"vCont;c:1", nil, 0x1000}, {"vCont;C05", nil, 0x1000}, {"s", &Step{}, 0x1000}, {"S05", &Step{}, 0x1000}, {"vCont;s:1;c", &Step{}, 0x1000},
		{"vCont;r1000,1010:1", &Step{Range: true, First: 0x1000, Last: 0x100f}, 0x1000}, {"c2000", nil, 0x2000}, {"s2100", &Step{}, 0x2100}, {"C05;2200", nil, 0x2200},
	} {
		f.went = nil
		f.cpu.Jump(0x1000)
		_, wait := s.handle([]byte(tt.packet))
		if !wait || len(f.went) != 1 || f.cpu.EIP != tt.eip {
			t.Errorf("%q: waits %v, went on %v, EIP %x", tt.packet, wait, f.went, f.cpu.EIP)
		} else if got := f.went[0]; (got == nil) != (tt.step == nil) || got != nil && *got != *tt.step {
			t.Errorf("%q: %+v, want %+v", tt.packet, got, tt.step)
		}
	}
	if !f.cpu.HasBreakpoint(0x2000) || !f.cpu.HasBreakpoint(0x3000) || f.cpu.HasBreakpoint(0x1000) {
		t.Error("the processor has other breakpoints")
	}
	for _, tt := range []struct {
		stop Stop
		want string
	}{
		{Stop{Requested: true}, "T02thread:01;"}, {Stop{}, "T05thread:01;"}, {Stop{Breakpoint: true, Addr: 0x2000}, "T05thread:01;swbreak:;"}, {Stop{Breakpoint: true, Addr: 0x3000}, "T05thread:01;hwbreak:;"},
		{Stop{Watch: &cpu.Watchpoint{Addr: 0x1000, N: 4, Write: true}, Addr: 0x1002}, "T05thread:01;watch:1002;"},
		{Stop{Watch: &cpu.Watchpoint{Addr: 0x1100, N: 4, Read: true}, Addr: 0x1100}, "T05thread:01;rwatch:1100;"},
		{Stop{Watch: &cpu.Watchpoint{Addr: 0x1200, N: 4, Read: true, Write: true}, Addr: 0x1203}, "T05thread:01;awatch:1203;"},
	} {
		if got := s.stopped(tt.stop); got != tt.want || s.answer('?', nil) != tt.want {
			t.Errorf("%+v: %q, want %q", tt.stop, got, tt.want)
		}
	}
}

// TestBounds: a client has no more kept than there is room for.
func TestBounds(t *testing.T) {
	s := newSession(newFake(t))
	for _, tt := range []struct {
		kind string
		max  int
	}{{"0", maxBreakpoints}, {"2", maxWatchpoints}} {
		for i := range tt.max + 1 {
			want := replyOK
			if i == tt.max {
				want = errNoSpace
			}
			p := "Z" + tt.kind + "," + hex.EncodeToString([]byte{byte(i >> 8), byte(i)}) + ",1"
			if got, _ := s.handle([]byte(p)); got != want {
				t.Fatalf("%s: %q, want %q", p, got, want)
			}
		}
	}
}

// TestDescription: the target description is XML whose registers are those of g, in
// that order, and comes in parts as in one.
func TestDescription(t *testing.T) {
	f := newFake(t)
	s := newSession(f)
	var got strings.Builder
	for at := 0; ; {
		reply, _ := s.handle([]byte("qXfer:features:read:target.xml:" + strings.TrimLeft(hex.EncodeToString([]byte{byte(at >> 8), byte(at)}), "0") + ",7b"))
		if at == 0 {
			reply, _ = s.handle([]byte("qXfer:features:read:target.xml:0,7b"))
		}
		part := string(unescape([]byte(reply[1:])))
		got.WriteString(part)
		if at += len(part); reply[0] == 'l' {
			break
		}
	}
	var target struct {
		Features []struct {
			Name string `xml:"name,attr"`
			Regs []struct {
				Name string `xml:"name,attr"`
				Bits int    `xml:"bitsize,attr"`
			} `xml:"reg"`
		} `xml:"feature"`
	}
	if err := xml.Unmarshal([]byte(got.String()), &target); err != nil {
		t.Fatal(err)
	}
	i, size := 0, 0
	for _, feature := range target.Features {
		for _, r := range feature.Regs {
			if r.Name != s.registers.all[i].name || r.Bits != 8*s.registers.all[i].size {
				t.Errorf("register %d is %s of %d bits", i, r.Name, r.Bits)
			}
			size += r.Bits / 8
			i++
		}
	}
	if all, _ := s.handle([]byte("g")); i != len(s.registers.all) || len(all) != 2*size {
		t.Errorf("%d registers of %d bytes; g gives %d digits", i, size, len(all))
	}
	f.cpu.R[3], f.cpu.FPU.XMM[7][1] = 0x1234, 7
	all, _ := s.handle([]byte("g"))
	f.cpu.R[3], f.cpu.FPU.XMM[7][1] = 0, 0
	if reply, _ := s.handle([]byte("G" + all)); reply != replyOK || f.cpu.R[3] != 0x1234 || f.cpu.FPU.XMM[7][1] != 7 {
		t.Errorf("G: %q, EBX %x", reply, f.cpu.R[3])
	}
}

// TestItems: what a stream of bytes is taken for.
func TestItems(t *testing.T) {
	long := strings.Repeat("a", PacketSize)
	for _, tt := range []struct {
		stream string
		kinds  []kind
		data   string // of the last packet
		err    error
	}{
		{"+-\x03", []kind{ack, nak, interrupt}, "", io.EOF},
		{"$g#67", []kind{aPacket}, "g", io.EOF},
		{"$g#67$m0,1#fa", []kind{aPacket, aPacket}, "m0,1", io.EOF},
		{"$g#68$g#6x", []kind{damaged, damaged}, "", io.EOF},
		{"$broken$g#67", []kind{aPacket}, "g", io.EOF},
		{"$#00", []kind{aPacket}, "", io.EOF},
		{string(framed([]byte(long))), []kind{aPacket}, long, io.EOF},
		{string(framed([]byte(long+"a"))) + "$g#67", []kind{tooLong, aPacket}, "g", io.EOF},
		{"noise\n$g#67", []kind{aPacket}, "g", io.EOF},
		{strings.Repeat("GET / HTTP/1.1\r\n", 100), nil, "", errNoise},
		{"$g#6", nil, "", io.ErrUnexpectedEOF},
		{"$g", nil, "", io.EOF},
	} {
		r, buf := bufio.NewReader(strings.NewReader(tt.stream)), make([]byte, 0, PacketSize)
		var kinds []kind
		data := ""
		var err error
		for {
			var it item
			if it, err = readItem(r, buf); err != nil {
				break
			}
			kinds, data = append(kinds, it.kind), string(it.data)
		}
		if !bytes.Equal(bytesOf(kinds), bytesOf(tt.kinds)) || err != tt.err || data != tt.data {
			t.Errorf("%.40q: %v, %.40q, %v; want %v, %.40q, %v", tt.stream, kinds, data, err, tt.kinds, tt.data, tt.err)
		}
	}
}

func bytesOf(kinds []kind) (b []byte) {
	for _, k := range kinds {
		b = append(b, byte(k))
	}
	return b
}

// FuzzSession: whatever a client sends, each packet has one answer of a bounded size,
// or has the machine go on.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"$qSupported:swbreak+;hwbreak+#00", "$g#67$G00#d7", "$m0,ffffffff#00", "$mffffffff,ffffffff#00", "$X0,ffffffff:}#00", "$M100,2:0102#00", "$Z0,ffffffff,1#00$c#63",
		"$Z2,0,ffffffff#00$s#73", "$vCont;r0,ffffffff#00", "$qXfer:features:read:target.xml:ffffffff,ffffffff#00", "$qRcmd,68656c70#00", "$P8=ffffffff#00$p29#00", "\x03+-$?#3f$D#44$k#6b",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		target := newFake(t)
		s := newSession(target)
		r, buf := bufio.NewReader(bytes.NewReader(stream)), make([]byte, 0, PacketSize)
		for {
			it, err := readItem(r, buf)
			if err != nil {
				break
			}
			if it.kind == damaged { // the seeds' checksums are not right: that is another test's
				continue
			}
			reply, wait := s.handle(bytes.Clone(it.data))
			if len(reply) > PacketSize+s.registers.bytes*2 {
				t.Fatalf("%.40q is answered by %d bytes", it.data, len(reply))
			}
			if wait && reply != "" {
				t.Fatalf("%.40q waits, and is answered by %q", it.data, reply)
			}
		}
		// And each line by itself, as no fuzzer finds checksums.
		for p := range bytes.SplitSeq(stream, []byte("$")) {
			p, _, _ = bytes.Cut(p, []byte("#"))
			if reply, _ := s.handle(bytes.Clone(p)); len(reply) > PacketSize+s.registers.bytes*2 {
				t.Fatalf("%.40q is answered by %d bytes", p, len(reply))
			}
		}
		target.cpu.Run(100)
	})
}
