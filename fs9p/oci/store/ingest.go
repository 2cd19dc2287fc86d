package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/fetch"
)

// An opener begins to read a blob, from its start each time.
type opener func(ctx context.Context) (io.ReadCloser, error)

// ErrDigest is the error of bytes that are not those which their digest
// promised.
var ErrDigest = errors.New("not what its digest promised")

// attempts is how often a manifest is asked for before its error counts.
const attempts = 4

// fetch puts a blob into the store unless it is there. An empty verb shows no
// progress.
func (s *Store) fetch(ctx context.Context, d v1.Descriptor, verb string, open opener) error {
	if err := checkHash(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("%s: a size of %d bytes", d.Digest, d.Size)
	}
	if ok, err := s.sound(s.blob(d.Digest), d.Digest, d.Size); ok || err != nil {
		return err
	}
	unlock, err := s.lock(ctx, d.Digest.Hex[:2])
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := s.sound(s.blob(d.Digest), d.Digest, d.Size); ok || err != nil {
		return err // another process was faster
	}
	if err := s.room(d.Size); err != nil {
		return err
	}
	var step Step = silent{}
	if verb != "" {
		step = s.cfg.Progress.Begin(verb, short(d.Digest), d.Size)
	}
	resumed := false
	get := func() error {
		return s.place(ctx, s.blob(d.Digest), func(f file) (err error) {
			resumed, err = receive(ctx, f, d, open, step)
			return err
		})
	}
	if err = get(); errors.Is(err, ErrDigest) && resumed {
		err = get() // one of the answers may have been wrong
	}
	step.End(err)
	return err
}

// retry calls f again while its errors look as if they would pass.
func (s *Store) retry(ctx context.Context, f func() error) error {
	pause := s.pause
	for try := 1; ; try++ {
		err := f()
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // whatever else went wrong
		}
		if err == nil || try == attempts || !passing(err) {
			return err
		}
		select {
		case <-time.After(pause + rand.N(pause/4+1)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause *= 3
	}
}

// receive copies a blob to w and checks it on the way. resumed tells whether it
// came in parts.
func receive(ctx context.Context, w io.Writer, d v1.Descriptor, open opener, step Step) (resumed bool, err error) {
	r, err := open(ctx)
	if err != nil {
		return false, err
	}
	defer r.Close()
	sum := sha256.New()
	// One byte more than promised is enough to see that there is more.
	from := &counter{r: io.LimitReader(r, d.Size+1), step: step}
	done, err := io.CopyBuffer(io.MultiWriter(plain{w}, sum), from, make([]byte, 256<<10))
	if part, ok := r.(*fetch.Download); ok {
		resumed = part.Resumed()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err() // whatever else went wrong
	case err != nil:
	case done < d.Size:
		err = fmt.Errorf("%s: %d bytes of %d: %w", short(d.Digest), done, d.Size, io.ErrUnexpectedEOF)
	case done > d.Size:
		err = fmt.Errorf("%s: %w: more than %d bytes", short(d.Digest), ErrDigest, d.Size)
	case hex.EncodeToString(sum.Sum(nil)) != d.Digest.Hex:
		err = fmt.Errorf("%s: %w", short(d.Digest), ErrDigest)
	}
	if err != nil {
		step.Add(-from.n)
	}
	return resumed, err
}

// plain hides methods of a writer by which io.Copy would choose its own buffer.
type plain struct{ io.Writer }

// counter tells a step what is read.
type counter struct {
	r    io.Reader
	step Step
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 {
		c.n += int64(n)
		c.step.Add(int64(n))
	}
	return n, err
}

// short is how digests are shown, as docker does.
func short(h v1.Hash) string {
	if len(h.Hex) < 12 {
		return h.Hex
	}
	return h.Hex[:12]
}

// inMemory reads what is in memory already.
func inMemory(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
