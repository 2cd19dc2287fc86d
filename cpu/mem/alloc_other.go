//go:build !unix || aix

package mem

import "errors"

func allocate(n int, from *mapping) ([]byte, func(), error) {
	if from != nil {
		return nil, nil, errors.ErrUnsupported
	}
	return make([]byte, n), nil, nil
}

func overlay([]byte, *mapping) error { return errors.ErrUnsupported }

func fileBank(uintptr, int64, int) (bank, error) { return nil, errors.ErrUnsupported }
