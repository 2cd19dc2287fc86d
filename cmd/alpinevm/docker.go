package main

// dockerFlags are flags of docker run that there are not, and what to do.
var dockerFlags = map[string]string{
	"privileged":  "leave it out: the guest's root may do everything in its machine",
	"cap-add":     "leave it out: the guest's root may do everything in its machine",
	"net":         "use --network",
	"publish-all": "use -p HOST:GUEST",
	"link":        "machines do not see each other; -p HOST:GUEST and --host-loopback lead from one to the other by the host",
	"restart":     "alpinevm start starts a machine again; the host's init can do it",
	"P":           "use -p HOST:GUEST",
}
