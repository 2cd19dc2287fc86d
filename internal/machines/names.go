package machines

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

var (
	adjectives = strings.Fields(`able amber ancient bold brave bright brisk busy calm candid clear clever cool cosy crisp curious
		daring deft eager early easy fair fast fine firm fond frank free fresh gentle glad golden good grand happy hardy
		honest humble jolly keen kind lively loyal lucky merry mild modest neat nimble noble patient plain polite proud
		quick quiet rapid ready rich robust rosy round serene sharp silent silver simple smart smooth snowy solid steady
		stout strong sunny sure swift tidy tranquil true trusty vivid warm wise witty young zesty`)
	nouns = strings.Fields(`alp arete bear bell brook canyon cedar chamois cliff cloud col crag creek crest dale eagle edelweiss
		falcon fern fir fjord gentian glacier glen gorge grove gully hare hawk heath hill ibex island lake larch lark ledge
		lichen lynx marmot meadow mesa mint moor moss mountain oak otter owl pass path peak pine plateau pond raven ridge
		river rock saddle scree slope snow spring spruce spur stag stone stream summit swift tarn thyme trail trout valley
		vista willow wolf wren`)
)

// NewName makes up a name that no machine has.
func NewName() string {
	for {
		name := adjectives[rand.IntN(len(adjectives))] + "_" + nouns[rand.IntN(len(nouns))]
		if !taken(name) {
			return name
		}
	}
}

// taken tells whether there is a machine of that name.
func taken(name string) bool {
	if path, err := Socket(name); err == nil {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	top, err := folder()
	if err != nil {
		return false
	}
	_, err = os.Lstat(filepath.Join(top, name))
	return err == nil
}
