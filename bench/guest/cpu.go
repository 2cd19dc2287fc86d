//go:build linux

package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// workload is a piece of work of some 100,000 instructions, an operation, that
// can be repeated. It answers with a checksum of what it has computed, the same
// each time.
type workload struct {
	name string
	want uint32
	make func() (func() (uint32, error), error)
}

// pure makes a workload of a function that needs no preparation.
func pure(f func() uint32) func() (func() (uint32, error), error) {
	return func() (func() (uint32, error), error) {
		return func() (uint32, error) { return f(), nil }, nil
	}
}

func workloads() []workload {
	list := []workload{
		{"integer", 0x7cbfb2cb, pure(integer)},
		{"interpreter", 0x00000c2d, pure(interpreter)},
		{"sequential", 0xfffa0000, sequential},
		{"random", 0x07ffe000, random},
		{"float", 0xc413e8dd, pure(float)},
	}
	list = append(list, assembly()...)
	return append(list, []workload{
		{"syscall", syscalls, systemCalls},
		{"pipe", pipeBytes, pipe},
		{"fault", faultPages, faults},
		{"process", 0, process},
	}...)
}

// cpu measures the workloads that are named, or all, each for about d.
func cpu(d time.Duration, names []string) error {
	runtime.GOMAXPROCS(1)
	list := workloads()
	for _, n := range names {
		if !slices.ContainsFunc(list, func(w workload) bool { return w.name == n }) {
			return failed(n, fmt.Errorf("there is no such workload"))
		}
	}
	for _, w := range list {
		if len(names) > 0 && !slices.Contains(names, w.name) {
			continue
		}
		if err := w.measure(d); err != nil {
			return failed(w.name, err)
		}
	}
	return nil
}

// measure finds out how many operations take about d, then times as many.
func (w workload) measure(d time.Duration) error {
	f, err := w.make()
	if err != nil {
		return err
	}
	repeat := func(n int) (time.Duration, error) {
		start := time.Now()
		for range n {
			sum, err := f()
			if err != nil {
				return 0, err
			}
			if sum != w.want {
				return 0, fmt.Errorf("computed %#08x, not %#08x", sum, w.want)
			}
		}
		return time.Since(start), nil
	}
	if _, err := repeat(1); err != nil { // touches memory, fills caches
		return err
	}
	n := 1
	for {
		took, err := repeat(n)
		if err != nil {
			return err
		}
		if took >= d/5 {
			n = max(1, int(float64(n)*float64(d)/float64(took)))
			break
		}
		n *= 2
	}
	begin(w.name)
	took, err := repeat(n)
	if err != nil {
		return err
	}
	end(w.name, n, took, 0)
	return nil
}
