//go:build !linux

package board

import (
	"sync/atomic"
	"time"
)

const waitsInSystem = false

func waitSystem(*atomic.Uint32, time.Duration) {}

func wakeSystem(*atomic.Uint32) {}
