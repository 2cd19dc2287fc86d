//go:build !js

package main

import (
	"fmt"
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"alpinevm/fs9p/oci/store"
)

// bars shows a bar for each step under way.
type bars struct{ *mpb.Progress }

func newBars(out io.Writer) (store.Progress, func()) {
	b := bars{mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))}
	return b, b.Wait
}

// Begin is part of store.Progress.
func (b bars) Begin(verb, what string, size int64) store.Step {
	name := decor.Name(fmt.Sprintf("%-8s %s ", verb, what))
	if size < 0 {
		return bar{b.AddSpinner(0, mpb.PrependDecorators(name), mpb.BarRemoveOnComplete())}
	}
	return bar{b.AddBar(size, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(name),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.Name(" "), decor.AverageSpeed(decor.SizeB1000(0), "% .1f")))}
}

// bar is a step of bars.
type bar struct{ *mpb.Bar }

// Add is part of store.Step.
func (b bar) Add(n int64) { b.IncrInt64(n) }

// End is part of store.Step.
func (b bar) End(err error) { b.Abort(true) }
