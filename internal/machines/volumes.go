package machines

import (
	"os"
	"path/filepath"
)

// IsName tells whether a machine or a volume can have the name.
func IsName(name string) bool { return machineName().MatchString(name) }

// Volume gives the folder of the volume of that name, which is made if it is
// missing. It is kept until it is removed by hand.
func Volume(name string) (string, error) {
	top, err := folder()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(top), "volumes", name)
	return dir, stateError(os.MkdirAll(dir, 0o700))
}
