package main

import (
	"context"
	"errors"
	"io"
	"syscall/js"

	"alpinevm/net/httpgate"
)

// fetcher is the browser's fetch. It implements httpgate.Fetcher.
type fetcher struct{}

// Fetch is part of httpgate.Fetcher. Nobody is logged in, the host is not told of the
// page, and nothing is kept: what the guest asks for is its own.
func (fetcher) Fetch(ctx context.Context, r *httpgate.Request) (*httpgate.Response, error) {
	headers := []any{}
	for _, h := range r.Header {
		headers = append(headers, []any{h[0], h[1]})
	}
	options := map[string]any{"method": r.Method, "headers": headers}
	if r.Body != nil {
		options["body"] = arrayOf(r.Body)
	}
	a, end, err := ask(ctx, r.URL, options)
	if err != nil {
		end()
		return nil, err
	}
	got := &httpgate.Response{Status: a.Get("status").Int(), Text: a.Get("statusText").String()}
	each := js.FuncOf(func(_ js.Value, args []js.Value) any { // value, name
		got.Header = append(got.Header, [2]string{args[1].String(), args[0].String()})
		return nil
	})
	defer each.Release()
	a.Get("headers").Call("forEach", each)
	b := &body{ctx: ctx, end: end}
	if stream := a.Get("body"); stream.Truthy() {
		b.reader = stream.Call("getReader")
	}
	got.Body = b
	return got, nil
}

// Answers is part of httpgate.Fetcher.
func (fetcher) Answers(ctx context.Context, url string) bool {
	_, end, err := ask(ctx, url, map[string]any{"method": "HEAD", "mode": "no-cors"})
	end()
	return err == nil
}

// ask begins to fetch something; end ends that, and has to be called.
func ask(ctx context.Context, url string, options map[string]any) (a js.Value, end func(), err error) {
	abort := js.Global().Get("AbortController").New()
	stop := context.AfterFunc(ctx, func() { abort.Call("abort") })
	end = func() {
		stop()
		abort.Call("abort")
	}
	options["credentials"], options["referrerPolicy"], options["cache"], options["signal"] = "omit", "no-referrer", "no-store", abort.Get("signal")
	a, err = promised(func() js.Value { return js.Global().Call("fetch", url, options) })
	return a, end, err
}

// promised waits for what a function's promise becomes.
func promised(f func() js.Value) (v js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = thrown(r)
		}
	}()
	type result struct {
		v   js.Value
		err error
	}
	done := make(chan result, 1)
	kept := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- result{v: args[0]}
		return nil
	})
	defer kept.Release()
	broken := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- result{err: thrown(js.Error{Value: js.Global().Call("Object", args[0])})}
		return nil
	})
	defer broken.Release()
	f().Call("then", kept, broken)
	got := <-done
	return got.v, got.err
}

// body is what comes behind a head. It is asked for as it is read.
type body struct {
	ctx    context.Context
	reader js.Value // undefined: there is nothing
	data   []byte
	end    func()
}

func (b *body) Read(p []byte) (int, error) {
	for len(b.data) == 0 {
		if !b.reader.Truthy() {
			return 0, io.EOF
		}
		part, err := promised(func() js.Value { return b.reader.Call("read") })
		if err != nil {
			return 0, errors.Join(context.Cause(b.ctx), err)
		}
		if part.Get("done").Bool() {
			b.reader = js.Undefined()
			return 0, io.EOF
		}
		b.data = bytesOf(part.Get("value"))
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *body) Close() error {
	b.end()
	return nil
}
