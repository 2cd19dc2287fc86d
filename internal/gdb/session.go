package gdb

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"alpinevm/cpu"
)

// Target is a machine that is debugged. Its methods are called on its goroutine, but
// for Kick, which has a function run there.
type Target interface {
	Kick(f func())
	CPU() *cpu.CPU
	// ReadPhysical and WritePhysical copy from and to guest-physical memory, as
	// much as there is, and give how many bytes that is.
	ReadPhysical(p []byte, at uint64) int
	WritePhysical(p []byte, at uint64) int
	Held() bool
	Hold()
	// Go has a machine that is held go on; with a step until that is over.
	Go(step *Step)
	Reset()
	SwitchOff()
}

// Step is how far a machine goes by steps: one, or as long as linear addresses from
// First to Last are executed.
type Step struct {
	Range       bool
	First, Last uint32
	Interrupts  bool // are taken on the way
}

// Signals, as gdb numbers them.
const (
	sigINT  = 2
	SigABRT = 6
	SigKILL = 9
	SigSEGV = 11
	sigTRAP = 5
)

// Errors of replies, by Linux's numbers in decimal digits, as QEMU has them.
const (
	errNoEntry  = "E02"
	errFault    = "E14"
	errBusy     = "E16" // the machine runs
	errInvalid  = "E22"
	errNoSpace  = "E28"
	replyOK     = "OK"
	unsupported = ""
)

// Bounds of what a client has the machine keep.
const (
	maxBreakpoints = 1024
	maxWatchpoints = 64
)

// breakpoint is one of the client's: a kind, 0 by software or 1 by hardware, which are
// the same here, and a linear address.
type breakpoint struct {
	kind byte
	addr uint32
}

// session is a client's view of a machine. It lives on the machine's goroutine.
type session struct {
	t         Target
	registers *registerSet
	code      map[breakpoint]bool
	data      []watchpoint
	changed   bool // since the machine was told of both
	physical  bool // addresses of memory are
	deaf      bool // steps hold interrupts off
	features  clientFeatures
	last      string // why the machine stands still
	detached  bool
}

// watchpoint is one of the client's: kind 2 is for writes, 3 for reads, 4 for both.
type watchpoint struct {
	kind byte
	cpu.Watchpoint
}

// clientFeatures are what the client understands in replies.
type clientFeatures struct{ swbreak, hwbreak bool }

func newSession(t Target) *session {
	return &session{t: t, registers: newRegisterSet(), code: map[breakpoint]bool{}, deaf: true, last: "T05thread:01;"}
}

// handle does what a packet asks for. With wait the reply comes when the machine stops.
func (s *session) handle(p []byte) (reply string, wait bool) {
	if len(p) == 0 {
		return unsupported, false
	}
	verb, rest := p[0], p[1:]
	if !s.t.Held() && !bytes.ContainsRune([]byte("Dk"), rune(verb)) && !bytes.HasPrefix(p, []byte("vKill")) {
		return errBusy, false
	}
	switch verb {
	case 'c', 's':
		return s.resume(verb, rest)
	case 'C', 'S': // a signal, which a machine does not take, and an address
		_, at, _ := bytes.Cut(rest, []byte(";"))
		return s.resume(verb|0x20, at)
	case 'v':
		return s.verbose(string(p))
	case 'k':
		s.t.SwitchOff()
		return unsupported, true
	}
	return s.answer(verb, rest), false
}

// answer does what a packet asks for that changes nothing of whether the machine runs,
// but for the end of the session.
func (s *session) answer(verb byte, rest []byte) string {
	switch verb {
	case '?':
		return s.last
	case 'g':
		return s.readAll()
	case 'G':
		return s.writeAll(rest)
	case 'p':
		return s.readOne(string(rest))
	case 'P':
		return s.writeOne(string(rest))
	case 'm':
		return s.readMemory(string(rest))
	case 'M':
		return s.writeMemory(rest, false)
	case 'X':
		return s.writeMemory(rest, true)
	case 'Z', 'z':
		return s.point(verb == 'Z', string(rest))
	case 'q', 'Q':
		return s.query(string(verb) + string(rest))
	case 'H', 'T':
		return s.thread(verb, string(rest))
	case '!':
		return replyOK
	case 'R':
		s.t.Reset()
		return unsupported
	case 'D':
		s.detach()
		return replyOK
	}
	return unsupported
}

// detach ends what the session has asked for, and lets the machine go on.
func (s *session) detach() {
	s.detached = true
	s.t.CPU().StopAt(nil, nil)
	if s.t.Held() {
		s.t.Go(nil)
	}
}

// stopped gives the reply for a machine that has come to be held.
func (s *session) stopped(stop Stop) string {
	signal, why := sigTRAP, ""
	switch {
	case stop.Requested:
		signal = sigINT
	case stop.Watch != nil:
		why = fmt.Sprintf("%s:%x;", s.watchName(*stop.Watch), stop.Addr)
	case stop.Breakpoint && s.code[breakpoint{1, stop.Addr}] && s.features.hwbreak:
		why = "hwbreak:;"
	case stop.Breakpoint && s.features.swbreak:
		why = "swbreak:;"
	}
	s.last = fmt.Sprintf("T%02xthread:01;%s", signal, why)
	return s.last
}

// watchName is what gdb calls the kind of a watchpoint.
func (s *session) watchName(w cpu.Watchpoint) string {
	for _, d := range s.data {
		if d.Watchpoint == w {
			return [...]string{2: "watch", 3: "rwatch", 4: "awatch"}[d.kind]
		}
	}
	return "watch"
}

// resume has the machine go on, at an address if there is one.
func (s *session) resume(verb byte, at []byte) (string, bool) {
	if len(at) > 0 {
		eip, ok := number(string(at))
		if !ok {
			return errInvalid, false
		}
		s.t.CPU().Jump(eip)
	}
	if verb == 's' {
		s.run(&Step{})
	} else {
		s.run(nil)
	}
	return "", true
}

func (s *session) run(step *Step) {
	if s.changed {
		s.tell()
	}
	if step != nil {
		step.Interrupts = !s.deaf
	}
	s.t.Go(step)
}

// tell tells the processor where to stop.
func (s *session) tell() {
	var code []uint32
	for b := range maps.Keys(s.code) {
		code = append(code, b.addr)
	}
	slices.Sort(code)
	var data []cpu.Watchpoint
	for _, d := range s.data {
		data = append(data, d.Watchpoint)
	}
	s.t.CPU().StopAt(slices.Compact(code), data)
	s.changed = false
}

// verbose handles packets that begin with v.
func (s *session) verbose(p string) (string, bool) {
	switch {
	case p == "vCont?":
		return "vCont;c;C;s;S;r", false
	case strings.HasPrefix(p, "vCont;"):
		return s.vCont(strings.TrimPrefix(p, "vCont;"))
	case strings.HasPrefix(p, "vKill"):
		s.t.SwitchOff()
		return replyOK, false
	}
	return unsupported, false
}

// vCont does the first action, which is the one of the only thread.
func (s *session) vCont(actions string) (string, bool) {
	action, _, _ := strings.Cut(actions, ";")
	action, _, _ = strings.Cut(action, ":")
	if action == "" {
		return errInvalid, false
	}
	switch action[0] {
	case 'c', 'C':
		s.run(nil)
	case 's', 'S':
		s.run(&Step{})
	case 'r':
		from, to, ok := pair(action[1:], ",")
		if !ok || to <= from {
			return errInvalid, false
		}
		// gdb counts in EIP.
		base := s.t.CPU().Seg[1].Base
		s.run(&Step{Range: true, First: base + from, Last: base + to - 1})
	default:
		return errInvalid, false
	}
	return "", true
}

// thread handles H and T: there is one thread, number 1.
func (s *session) thread(verb byte, p string) string {
	if verb == 'H' && len(p) > 0 {
		p = p[1:]
	}
	if n, err := strconv.ParseInt(p, 16, 32); err != nil || n > 1 || verb == 'T' && n != 1 {
		return errInvalid
	}
	return replyOK
}

// point sets or removes a breakpoint or watchpoint: KIND,ADDR,LENGTH.
func (s *session) point(set bool, p string) string {
	p, _, _ = strings.Cut(p, ";") // conditions, which were not announced
	kind, rest, _ := strings.Cut(p, ",")
	addr, n, ok := pair(rest, ",")
	if !ok || len(kind) != 1 {
		return errInvalid
	}
	k := kind[0] - '0'
	switch {
	case k <= 1:
		b := breakpoint{k, addr}
		if set && !s.code[b] && len(s.code) == maxBreakpoints {
			return errNoSpace
		}
		delete(s.code, b)
		if set {
			s.code[b] = true
		}
	case k <= 4:
		if n == 0 {
			return errInvalid
		}
		w := watchpoint{k, cpu.Watchpoint{Addr: addr, N: n, Write: k != 3, Read: k != 2}}
		i := slices.Index(s.data, w)
		switch {
		case set && i < 0 && len(s.data) == maxWatchpoints:
			return errNoSpace
		case set && i < 0:
			s.data = append(s.data, w)
		case !set && i >= 0:
			s.data = slices.Delete(s.data, i, i+1)
		}
	default:
		return unsupported
	}
	s.changed = true
	return replyOK
}

// number reads hexadecimal digits.
func number(p string) (uint32, bool) {
	n, err := strconv.ParseUint(p, 16, 32)
	return uint32(n), err == nil
}

// pair reads two numbers.
func pair(p, separator string) (a, b uint32, ok bool) {
	first, second, _ := strings.Cut(p, separator)
	a, ok1 := number(first)
	b, ok2 := number(second)
	return a, b, ok1 && ok2
}

// readAll gives all registers.
func (s *session) readAll() string {
	b := make([]byte, s.registers.bytes)
	at := b
	for i := range s.registers.all {
		s.registers.all[i].read(s.t.CPU(), at)
		at = at[s.registers.all[i].size:]
	}
	return hex.EncodeToString(b)
}

// writeAll changes those that can be changed; the others have to stay.
func (s *session) writeAll(p []byte) string {
	b := make([]byte, s.registers.bytes)
	if n, err := hex.Decode(b, p[:min(len(p), 2*len(b))]); err != nil || n != len(b) || len(p) != 2*len(b) {
		return errInvalid
	}
	for i := range s.registers.all {
		if reply := s.write(i, b[:s.registers.all[i].size]); reply != replyOK {
			return reply
		}
		b = b[s.registers.all[i].size:]
	}
	return replyOK
}

// readOne gives register N.
func (s *session) readOne(p string) string {
	n, ok := number(p)
	if !ok || int(n) >= len(s.registers.all) {
		return errInvalid
	}
	r := &s.registers.all[n]
	b := make([]byte, r.size)
	r.read(s.t.CPU(), b)
	return hex.EncodeToString(b)
}

// writeOne changes one: N=VALUE.
func (s *session) writeOne(p string) string {
	name, v, _ := strings.Cut(p, "=")
	n, ok := number(name)
	if !ok || int(n) >= len(s.registers.all) {
		return errInvalid
	}
	b, err := hex.DecodeString(v)
	if err != nil || len(b) != s.registers.all[n].size {
		return errInvalid
	}
	return s.write(int(n), b)
}

// write changes register i, if it is to be another value.
func (s *session) write(i int, b []byte) string {
	r, c := &s.registers.all[i], s.t.CPU()
	old := make([]byte, r.size)
	if r.read(c, old); bytes.Equal(old, b) {
		return replyOK
	}
	if r.write == nil || r.write(c, b) != nil {
		return errInvalid
	}
	return replyOK
}

// readMemory gives what can be read of ADDR,LENGTH from its beginning on.
func (s *session) readMemory(p string) string {
	at, n, ok := pair(p, ",")
	if !ok {
		return errInvalid
	}
	b := make([]byte, min(n, PacketSize/2))
	if s.physical {
		b = b[:s.t.ReadPhysical(b, uint64(at))]
	} else {
		b = b[:s.t.CPU().Peek(at, b)]
	}
	if len(b) == 0 && n > 0 {
		return errFault
	}
	return hex.EncodeToString(b)
}

// writeMemory writes ADDR,LENGTH:DATA, in hexadecimal digits or in binary.
func (s *session) writeMemory(p []byte, binary bool) string {
	where, data, _ := bytes.Cut(p, []byte(":"))
	at, n, ok := pair(string(where), ",")
	if !ok {
		return errInvalid
	}
	if binary {
		data = unescape(data)
	} else {
		k, err := hex.Decode(data, data)
		if err != nil {
			return errInvalid
		}
		data = data[:k]
	}
	if uint64(len(data)) != uint64(n) {
		return errInvalid
	}
	var done int
	if s.physical {
		done = s.t.WritePhysical(data, uint64(at))
	} else {
		done = s.t.CPU().Poke(at, data)
	}
	if done < len(data) {
		return errFault
	}
	return replyOK
}
