package website

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"alpinevm"
	"alpinevm/fs9p"
)

// Network is a way out: a relay, or what the browser fetches.
type Network struct {
	// Relay is the address of a relay that speaks the Wisp protocol, from that of the
	// description on; "": there is none.
	Relay string `json:"relay,omitempty"`

	// Fetch says that the guest's HTTP goes through the browser's fetch, as package
	// httpgate has it; HTTPS and Mirrors are its configuration's, and addresses of
	// mirrors may be from that of the description on.
	Fetch   bool     `json:"fetch,omitempty"`
	HTTPS   []string `json:"https,omitempty"`
	Mirrors []string `json:"mirrors,omitempty"`
}

// repositoriesFile names Alpine's repositories, and maxRepositories bounds it, in bytes.
const (
	repositoriesFile = "etc/apk/repositories"
	maxRepositories  = 64 << 10
)

// PlainRepositories has apk in the guest ask for its packages by http, of the hosts that
// are fetched for it: what it speaks itself would be encrypted. It verifies packages by
// their signatures. A root that is not Alpine's is left as it is.
func PlainRepositories(root fs9p.FS, fetched func(host string) bool) error {
	data, err := fs9p.ReadFile(fs9p.IOFS(root), repositoriesFile, maxRepositories)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs9p.ErrTooLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	var plain strings.Builder
	for l := range strings.Lines(string(data)) {
		plain.WriteString(plainRepository(l, fetched))
	}
	return fs9p.WriteFile(root, repositoriesFile, []byte(plain.String()), 0o644)
}

// plainRepository is a line of the file, [@TAG] ADDRESS.
func plainRepository(line string, fetched func(host string) bool) string {
	address := line
	if strings.HasPrefix(line, "@") {
		_, address, _ = strings.Cut(line, " ")
	}
	rest, secure := strings.CutPrefix(strings.TrimSpace(address), "https://")
	if host, _, ok := strings.Cut(rest, "/"); !secure || !ok || !fetched(strings.ToLower(host)) {
		return line
	}
	return strings.Replace(line, "https://", "http://", 1)
}

// PutNetworkFiles puts the resolver's files into the root of a machine that boots, where
// the guest can replace them. In one that has no room left they are mounted.
func PutNetworkFiles(cfg *alpinevm.Config) error {
	for _, f := range cfg.Network.Files(cfg.Hostname) {
		if err := fs9p.WriteFile(cfg.Session.Root, f.Name, f.Data, f.Mode); fs9p.IsFull(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the root's %s: %w", f.Name, err)
		}
	}
	cfg.Network.FilesInRoot = true
	return nil
}
