package hostfs

import "golang.org/x/sys/unix"

const utimeOmit = unix.UTIME_OMIT
