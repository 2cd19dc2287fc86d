package main

// dockerFlags are flags of docker run that there are not, and what to do.
var dockerFlags = map[string]string{
	"privileged": "leave it out: the guest's root may do everything in its machine",
	"cap-add":    "leave it out: the guest's root may do everything in its machine",
	"cpus":       "leave it out: a guest has one processor",
	"mount":      "use -v HOST:GUEST[:ro]",
	"net":        "use --network",
	"env-file":   "use -e NAME=VALUE",
	"P":          "use -p HOST:GUEST",
}
