package fs9p

// What a Node can do that not every Node can.

// Counted is a directory that knows how many entries it has.
type Counted interface {
	Node
	Entries() int
}

// Pruner is a directory that can remove an entry that is a directory together
// with the files in it, however many these are, in one short step. A directory
// in it is ENOTEMPTY.
type Pruner interface {
	Node
	Prune(name string) error
}
