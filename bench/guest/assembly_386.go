package main

import "math"

// assembly are workloads of instructions that the compiler does not emit.
func assembly() []workload {
	return []workload{
		{"x87", 0xbf48ee4a, pure(x87)},
		{"sse2", 0x3353d238, pure(sse2)},
	}
}

// horner sets x to x*c[i] + d[i] n times, i from 0 to 15 and round again, in the
// 80-bit registers.
//
//go:noescape
func horner(x *float64, c, d *[16]float64, n int)

// vector repeats n times: the four integers are multiplied, turned, added and
// shifted; the two numbers are multiplied, added to, and their root taken.
//
//go:noescape
func vector(integers *[4]uint32, numbers *[2]float64, n int)

func x87() uint32 {
	var c, d [16]float64
	for i := range c {
		c[i], d[i] = 1-1/float64(i+3), 1/float64(i+7)
	}
	x := 0.5
	horner(&x, &c, &d, 10_000)
	n := math.Float64bits(x)
	return uint32(n) ^ uint32(n>>32)
}

func sse2() uint32 {
	integers, numbers := [4]uint32{1, 2, 3, 4}, [2]float64{0.25, 0.75}
	vector(&integers, &numbers, 5_000)
	sum := uint32(0)
	for _, v := range integers {
		sum = sum*31 + v
	}
	for _, v := range numbers {
		n := math.Float64bits(v)
		sum = sum*31 + uint32(n) ^ uint32(n>>32)
	}
	return sum
}
