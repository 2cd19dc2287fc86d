package apk

import (
	"cmp"
	"slices"
	"strings"
)

// suffixes of versions in their order; those before the empty one come before
// the version without a suffix (apk-package(5), "pkgver").
var suffixes = []string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"}

// CompareVersions orders two versions as apk does: numbers with dots, a letter,
// suffixes such as _rc1 and the package's release, -r0. It gives -1, 0 or 1.
func CompareVersions(a, b string) int {
	a, ra, _ := strings.Cut(a, "-r")
	b, rb, _ := strings.Cut(b, "-r")
	return cmp.Or(compareUpstream(a, b), compareNumbers(ra, rb))
}

func compareUpstream(a, b string) int {
	as, bs := strings.Split(a, "_"), strings.Split(b, "_")
	if c := compareDotted(as[0], bs[0]); c != 0 {
		return c
	}
	for i := 1; i < max(len(as), len(bs)); i++ {
		ka, na := suffix(as, i)
		kb, nb := suffix(bs, i)
		if c := cmp.Or(cmp.Compare(ka, kb), compareNumbers(na, nb)); c != 0 {
			return c
		}
	}
	return 0
}

// compareDotted compares versions such as 1.20.3b.
func compareDotted(a, b string) int {
	la, lb := strings.TrimLeft(a, "0123456789."), strings.TrimLeft(b, "0123456789.")
	as, bs := strings.Split(strings.TrimSuffix(a, la), "."), strings.Split(strings.TrimSuffix(b, lb), ".")
	for i := range min(len(as), len(bs)) {
		// Behind the first dot, a number that begins with a zero is a fraction.
		c := compareNumbers(as[i], bs[i])
		if i > 0 && (strings.HasPrefix(as[i], "0") || strings.HasPrefix(bs[i], "0")) {
			c = cmp.Compare(as[i], bs[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(as), len(bs)), cmp.Compare(la, lb))
}

// compareNumbers compares numbers of any length; none is zero.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// suffix is the rank and the number of the i-th part of a version, which may
// not be there.
func suffix(parts []string, i int) (rank int, number string) {
	name := ""
	if i < len(parts) {
		name = strings.TrimRight(parts[i], "0123456789")
		number = parts[i][len(name):]
	}
	return slices.Index(suffixes, name), number
}
