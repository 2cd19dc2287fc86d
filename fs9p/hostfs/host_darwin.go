package hostfs

// utimeOmit is UTIME_OMIT of sys/stat.h.
const utimeOmit = -2
