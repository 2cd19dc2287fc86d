//go:build !linux

package vmtest_test

import (
	"testing"
	"time"
)

// processorTime is the host's time, where the host does not tell the process's.
func processorTime(*testing.B) time.Duration { return time.Duration(time.Now().UnixNano()) }
