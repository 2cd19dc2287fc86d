package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// filters are what ps --filter wants, by name: one of the values of each.
type filters map[string][]string

// filterTests say whether a machine is what a filter wants.
var filterTests = map[string]func(s shown, value string) bool{
	"name":     func(s shown, v string) bool { return strings.Contains(s.Names, strings.TrimPrefix(v, "/")) },
	"id":       func(s shown, v string) bool { return s.Names == v },
	"status":   func(s shown, v string) bool { return s.State == v },
	"ancestor": func(s shown, v string) bool { return s.Image == v || strings.HasPrefix(s.Image, v+":") },
	"exited":   func(s shown, v string) bool { return s.State == "exited" && strconv.Itoa(s.exitCode) == v },
	"volume":   func(s shown, v string) bool { return slices.Contains(strings.Split(s.Mounts, ","), v) },
	"publish":  func(s shown, v string) bool { return strings.Contains(s.Ports, ":"+v+"->") },
	"label": func(s shown, v string) bool {
		name, value, given := strings.Cut(v, "=")
		has, ok := s.labels[name]
		return ok && (!given || has == value)
	},
}

// parseFilters reads each NAME=VALUE.
func parseFilters(flags []string) (filters, error) {
	f := filters{}
	for _, s := range flags {
		name, value, ok := strings.Cut(s, "=")
		if !ok || filterTests[name] == nil {
			return nil, fmt.Errorf("--filter %q: want NAME=VALUE, with one of the names %s", s, strings.Join(slices.Sorted(maps.Keys(filterTests)), ", "))
		}
		f[name] = append(f[name], value)
	}
	return f, nil
}

// match tells whether a machine is what all filters want, of each of which several
// values are alternatives. Labels all have to be there.
func (f filters) match(s shown) bool {
	for name, values := range f {
		is := func(v string) bool { return filterTests[name](s, v) }
		if name == "label" && slices.ContainsFunc(values, func(v string) bool { return !is(v) }) || !slices.ContainsFunc(values, is) {
			return false
		}
	}
	return true
}

// labelList shows labels as docker does.
func labelList(labels map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, name+"="+labels[name])
	}
	return strings.Join(list, ",")
}
