package gdb

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// query answers packets that begin with q or Q.
func (s *session) query(p string) string {
	name, rest, _ := strings.Cut(p, ":")
	switch name {
	case "qSupported":
		for f := range strings.SplitSeq(rest, ";") {
			s.features.swbreak = s.features.swbreak || f == "swbreak+"
			s.features.hwbreak = s.features.hwbreak || f == "hwbreak+"
		}
		return fmt.Sprintf("PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+", PacketSize)
	case "qXfer":
		return s.transfer(rest)
	case "qAttached":
		return "1" // so that gdb leaves the machine running when it quits
	case "qC":
		return "QC1"
	case "qfThreadInfo":
		return "m1"
	case "qsThreadInfo":
		return "l"
	case "qSymbol", "QStartNoAckMode":
		return replyOK
	case "Qqemu.PhyMemMode":
		return s.set(&s.physical, rest)
	case "qqemu.PhyMemMode":
		return fmt.Sprint(map[bool]int{true: 1}[s.physical])
	}
	switch {
	case strings.HasPrefix(p, "qThreadExtraInfo,"):
		return hex.EncodeToString([]byte("CPU: " + s.state()))
	case strings.HasPrefix(p, "qRcmd,"):
		line, err := hex.DecodeString(strings.TrimPrefix(p, "qRcmd,"))
		if err != nil {
			return errInvalid
		}
		if text := s.monitor(string(line)); text != "" {
			return hex.EncodeToString([]byte(text))
		}
		return replyOK
	}
	return unsupported
}

// set sets a switch to 0 or 1.
func (s *session) set(to *bool, p string) string {
	if p != "0" && p != "1" {
		return errInvalid
	}
	*to = p == "1"
	return replyOK
}

// transfer gives a part of the target description: features:read:target.xml:OFFSET,LENGTH.
func (s *session) transfer(p string) string {
	where, ok := strings.CutPrefix(p, "features:read:")
	if !ok {
		return unsupported
	}
	name, where, _ := strings.Cut(where, ":")
	if name != "target.xml" {
		return errNoEntry
	}
	at, n, ok := pair(where, ",")
	if !ok {
		return errInvalid
	}
	text := s.registers.xml[min(uint64(at), uint64(len(s.registers.xml))):]
	// An escaped byte takes two.
	if n = min(n, PacketSize/2-1); int64(n) < int64(len(text)) {
		return "m" + string(escape([]byte(text[:n])))
	}
	return "l" + string(escape([]byte(text)))
}

// state says what the processor is doing.
func (s *session) state() string {
	c := s.t.CPU()
	mode := "protected mode"
	switch {
	case c.CR0&1 == 0:
		mode = "real mode"
	case c.Flags&(1<<17) != 0:
		mode = "virtual-8086 mode"
	}
	if c.Halted {
		mode += ", halted"
	}
	return fmt.Sprintf("%s, ring %d", mode, c.CPL)
}

// command is one for "monitor".
type command struct {
	words, about string
	do           func(s *session, arg string) string
}

// commands are what "monitor" does.
func commands() []command {
	return []command{
		{"info", "what the processor is doing, and how many instructions it has executed", func(s *session, _ string) string {
			return fmt.Sprintf("%s, %d instructions\n", s.state(), s.t.CPU().Retired)
		}},
		{"translate ADDRESS", "where a linear address, in hexadecimal digits, lies in physical memory", (*session).translate},
		{"physical on|off", "whether x, set and the like mean physical addresses", func(s *session, arg string) string {
			return onOff(&s.physical, arg)
		}},
		{"interrupts on|off", "whether interrupts are taken by a step; off at first", func(s *session, arg string) string {
			on := !s.deaf
			text := onOff(&on, arg)
			s.deaf = !on
			return text
		}},
		{"reset", "reset the machine, which is then before its first instruction", func(s *session, _ string) string {
			s.t.Reset()
			return "the machine has been reset; \"maintenance flush register-cache\" has gdb look again\n"
		}},
	}
}

func onOff(to *bool, arg string) string {
	switch arg {
	case "on":
		*to = true
	case "off":
		*to = false
	case "":
		return map[bool]string{true: "on\n", false: "off\n"}[*to]
	default:
		return fmt.Sprintf("%q: want on or off\n", arg)
	}
	return ""
}

// translate walks the page tables.
func (s *session) translate(arg string) string {
	lin, ok := number(strings.TrimPrefix(strings.ToLower(arg), "0x"))
	if !ok {
		return fmt.Sprintf("%q: want an address such as c1000000, in hexadecimal digits\n", arg)
	}
	pa, ok := s.t.CPU().Physical(lin)
	if !ok {
		return fmt.Sprintf("%08x is not mapped\n", lin)
	}
	return fmt.Sprintf("%08x is at physical %09x\n", lin, pa)
}

// monitor does a command and gives what it says.
func (s *session) monitor(line string) string {
	word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	for _, c := range commands() {
		if name, _, _ := strings.Cut(c.words, " "); name == word {
			return c.do(s, strings.TrimSpace(arg))
		}
	}
	var b strings.Builder
	if word != "help" && word != "" {
		fmt.Fprintf(&b, "there is no command %.40q\n", word)
	}
	for _, c := range commands() {
		fmt.Fprintf(&b, "monitor %-20s %s\n", c.words, c.about)
	}
	return b.String()
}
