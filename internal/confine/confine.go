// Package confine takes from a process what the guest that it runs has no use
// for, so that a hole in an emulator is not one in the host: after Apply it can
// neither start programs nor change its rights, and of the host's files it
// reaches those that it shares with the guest and those that keep the machine.
//
// It is done on Linux, without a helper and without privilege: no_new_privs
// (prctl(2)), Landlock (landlock(7)), a filter of system calls (seccomp(2)), no
// core files, and as root no capability but those over the owners of files. What
// a kernel has not got is left out, and named; elsewhere all is.
//
// What Landlock does not know stays possible for files that the user may change:
// permissions, owners and times by name (chmod(2), chown(2), utimensat(2)), but
// for set-id bits, which no call can set.
package confine

// Config says what a process that has set up its guest still needs.
type Config struct {
	Shares []Share
	// Keep are folders in which it reads, makes, changes and removes files; Read
	// are files and folders that it reads. What is not there is left out.
	Keep, Read []string
	// Network says that it makes connections.
	Network bool
}

// A Share is a folder or file of the host that a guest has.
type Share struct {
	Path     string // no symbolic link
	ReadOnly bool
	// File says that it is a file. Whatever gets its name is shared, for which
	// the process needs the rights in the whole folder that it is in.
	File bool
}

// A Layer is one of the things that confine a process.
type Layer struct {
	Name string
	Err  error // why it does not hold; nil: it does
}

// Holds tells whether all layers do.
func Holds(layers []Layer) bool {
	for _, l := range layers {
		if l.Err != nil {
			return false
		}
	}
	return true
}
