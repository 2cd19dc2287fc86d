package fs9p

import "time"

// TimespecOf gives a time as stat tells it.
func TimespecOf(t time.Time) Timespec { return Timespec{t.Unix(), uint32(t.Nanosecond())} }

// Time gives t as package time has it.
func (t Timespec) Time() time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }
