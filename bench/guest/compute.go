//go:build linux

package main

import (
	"math"
	"math/bits"
)

// integer is arithmetic in registers without branches but the loop's.
func integer() uint32 {
	x, sum := uint32(2463534242), uint32(0)
	for range 10_000 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		sum = sum*31 + bits.RotateLeft32(x, 7)
	}
	return sum
}

// Operations of the interpreter's machine: one accumulator, 8 variables.
const (
	opConst  = iota // acc = arg
	opLoad          // acc = var[arg]
	opStore         // var[arg] = acc
	opHalf          // acc >>= 1
	opOdd           // acc = 3*acc + 1 if acc is odd, else skip the next instruction
	opEqual         // skip the next instruction if acc != arg
	opLess          // skip the next instruction if acc >= var[arg]
	opJump          // go to arg
	opAddImm        // acc += arg
	opReturn        // the result is acc
)

type instruction struct {
	op  uint8
	arg uint32
}

// collatz adds up the lengths of the Collatz sequences of 1 to 99.
func collatz() []instruction {
	const n, i, steps, limit = 0, 1, 2, 3
	return []instruction{
		{opConst, 100}, {opStore, limit}, {opConst, 1}, {opStore, i},
		{opLoad, i}, {opStore, n}, // 4: the next sequence
		{opLoad, n}, {opEqual, 1}, {opJump, 18}, // 6: the next number
		{opLoad, steps}, {opAddImm, 1}, {opStore, steps},
		{opLoad, n}, {opOdd, 0}, {opJump, 16}, {opHalf, 0}, // 15: unless it is odd
		{opStore, n}, {opJump, 6},
		{opLoad, i}, {opAddImm, 1}, {opStore, i},
		{opLess, limit}, {opJump, 4},
		{opLoad, steps}, {opReturn, 0},
	}
}

// interpreter is code full of branches that are hard to predict: a machine that
// takes one instruction of a program at a time.
func interpreter() uint32 {
	var v [8]uint32
	acc, pc := uint32(0), 0
	program := collatz()
	for {
		in := program[pc]
		pc++
		switch in.op {
		case opConst:
			acc = in.arg
		case opLoad:
			acc = v[in.arg&7]
		case opStore:
			v[in.arg&7] = acc
		case opHalf:
			acc >>= 1
		case opOdd:
			if acc&1 != 0 {
				acc = 3*acc + 1
			} else {
				pc++
			}
		case opEqual:
			if acc != in.arg {
				pc++
			}
		case opLess:
			if acc >= v[in.arg&7] {
				pc++
			}
		case opJump:
			pc = int(in.arg)
		case opAddImm:
			acc += in.arg
		case opReturn:
			return acc
		}
	}
}

// Sizes of the memory workloads in bytes: within a cache of the second level,
// beyond translation buffers.
const (
	streamSize = 1 << 20
	chainSize  = 1 << 20
	line       = 64
)

// sequential reads and writes memory from one end to the other.
func sequential() (func() (uint32, error), error) {
	words := make([]uint32, streamSize/4)
	return func() (uint32, error) {
		sum := uint32(0)
		for i := range words {
			words[i] = uint32(i)
		}
		for i, w := range words {
			words[i] = w * 3
			sum += words[i]
		}
		return sum, nil
	}, nil
}

// random follows a chain that leads once through every line of a memory in no
// order.
func random() (func() (uint32, error), error) {
	type node struct {
		next  uint32
		value uint32
		_     [line - 8]byte
	}
	nodes := make([]node, chainSize/line)
	order := make([]uint32, len(nodes))
	for i := range order {
		order[i] = uint32(i)
	}
	x := uint32(1)
	for i := len(order) - 1; i > 0; i-- {
		x = x*1664525 + 1013904223
		j := x % uint32(i+1)
		order[i], order[j] = order[j], order[i]
	}
	for i, at := range order {
		nodes[at] = node{next: order[(i+1)%len(order)], value: at}
	}
	return func() (uint32, error) {
		sum, at := uint32(0), uint32(0)
		for range nodes {
			n := &nodes[at]
			sum += n.value
			at = n.next
		}
		return sum, nil
	}, nil
}

// float is arithmetic of 64-bit numbers: five bodies that attract each other.
func float() uint32 {
	type body struct {
		x, v [3]float64
		mass float64
	}
	var b [5]body
	for i := range b {
		f := float64(i + 1)
		b[i] = body{x: [3]float64{f, f * f / 3, -f / 7}, v: [3]float64{-f / 50, 1 / f / 20, f / 90}, mass: 1 / f}
	}
	const dt = 0.01
	for range 100 {
		for i := range b {
			for j := i + 1; j < len(b); j++ {
				var d [3]float64
				r := 0.01
				for k := range d {
					d[k] = b[i].x[k] - b[j].x[k]
					r += d[k] * d[k]
				}
				m := dt / (r * math.Sqrt(r))
				for k := range d {
					b[i].v[k] -= d[k] * b[j].mass * m
					b[j].v[k] += d[k] * b[i].mass * m
				}
			}
		}
		for i := range b {
			for k := range b[i].x {
				b[i].x[k] += dt * b[i].v[k]
			}
		}
	}
	sum := uint32(0)
	for i := range b {
		for k := range b[i].x {
			n := math.Float64bits(b[i].x[k])
			sum = sum*31 + uint32(n) ^ uint32(n>>32)
		}
	}
	return sum
}
