package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// children are the other processes of some parts, "load child NAME".
var children = map[string]func(){"locks": locksChild, "mappings": mappingsChild}

// child is such a process, which is told lines and answers each by one.
type child struct {
	to   io.WriteCloser
	from *bufio.Reader
	cmd  *exec.Cmd
}

func newChild(name string) *child {
	c := &child{cmd: exec.Command("/proc/self/exe", "child", name)}
	c.to = try(c.cmd.StdinPipe())
	c.from = bufio.NewReader(try(c.cmd.StdoutPipe()))
	c.cmd.Stderr = os.Stderr
	check(c.cmd.Start())
	return c
}

// ask tells it a line, and gives the answer.
func (c *child) ask(line string) (answer string) {
	try(fmt.Fprintln(c.to, line))
	try(fmt.Fscanln(c.from, &answer))
	return answer
}

func (c *child) end() {
	c.to.Close()
	check(c.cmd.Wait())
}

// answer answers each line of the input.
func answer(f func(line string) string) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(f(in.Text()))
	}
}

const (
	mappedPages = 64
	pageSize    = 4096
)

// mapped maps a file, shared.
func mapped(f *os.File) []byte {
	return try(syscall.Mmap(int(f.Fd()), 0, mappedPages*pageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED))
}

// mappings has two processes map one file: what one writes the other reads there,
// and in the end all of it is in the file.
func mappings() string {
	f := try(os.Create("mapped"))
	check(f.Truncate(mappedPages * pageSize))
	p, c := mapped(f), newChild("mappings")
	for round := range 40 {
		for page := range mappedPages {
			binary.LittleEndian.PutUint32(p[page*pageSize:], uint32(round*page+1))
		}
		sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(p))
		got := c.ask(fmt.Sprint(round))
		want(got == sum, "round %d: the other process sees %s, not %s", round, got, sum)
		n := binary.LittleEndian.Uint32(p[8:])
		want(n == uint32(round), "round %d: the other process has written %d", round, n)
	}
	c.end()
	check(syscall.Munmap(p))
	check(f.Sync())
	check(f.Close())
	return digest(try(os.ReadFile("mapped")))
}

func mappingsChild() {
	f := try(os.OpenFile("mapped", os.O_RDWR, 0))
	p := mapped(f)
	answer(func(line string) string {
		sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(p))
		var round uint32
		try(fmt.Sscan(line, &round))
		binary.LittleEndian.PutUint32(p[8:], round)
		return sum
	})
}

// record is a lock of a file's first ten bytes (fcntl).
func record(f *os.File, kind int16) error {
	return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: kind, Len: 10})
}

// locks holds locks against another process, and lets them go: of a whole file
// (flock), and of a part of another one, since over 9P both are of one kind.
func locks() string {
	f, part := try(os.Create("locked")), try(os.Create("locked.part"))
	c := newChild("locks")
	for range 60 {
		check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
		check(record(part, syscall.F_WRLCK))
		got := c.ask("try")
		want(got == "refused,refused", "while it is locked: %s", got)
		check(record(part, syscall.F_UNLCK))
		check(syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
		got = c.ask("try")
		want(got == "granted,granted", "while it is not: %s", got)
	}
	c.end()
	return "held"
}

func locksChild() {
	f, part := try(os.OpenFile("locked", os.O_RDWR, 0)), try(os.OpenFile("locked.part", os.O_RDWR, 0))
	said := func(err error) string {
		if err != nil {
			return "refused"
		}
		return "granted"
	}
	answer(func(string) string {
		whole := said(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
		bytes := said(record(part, syscall.F_WRLCK))
		record(part, syscall.F_UNLCK)
		syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		return whole + "," + bytes
	})
}

// fsync writes a file so that each part is on the disk before it is taken for
// written, and looks at all that was, as a database does.
func fsync() string {
	f := try(os.Create("written"))
	p, got := make([]byte, 600), make([]byte, 600)
	for i := range uint32(150) {
		numbers(p, i)
		try(f.Write(p))
		check(f.Sync())
		for k := i - i%10; k <= i; k++ {
			numbers(p, k)
			try(f.ReadAt(got, int64(k)*int64(len(p))))
			want(string(got) == string(p), "part %d of %d is not what was written", k, i)
		}
	}
	check(f.Close())
	return digest(try(os.ReadFile("written")))
}

// nameless has files that have no name any more, and writes and reads them.
func nameless() string {
	const files = 8
	var list []*os.File
	for i := range files {
		f := try(os.Create(fmt.Sprint("nameless", i)))
		check(os.Remove(f.Name()))
		list = append(list, f)
	}
	p, got := make([]byte, 1000), make([]byte, 1000)
	for round := range uint32(50) {
		for i, f := range list {
			numbers(p, round*files+uint32(i))
			try(f.WriteAt(p, int64(round)*500))
			try(f.ReadAt(got, int64(round)*500))
			want(string(got) == string(p), "file %d, round %d: another content", i, round)
		}
	}
	var all []byte
	for _, f := range list {
		all = append(all, try(io.ReadAll(io.NewSectionReader(f, 0, 1<<20)))...)
		check(f.Close())
	}
	return digest(all)
}
