package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
)

// field is what a --format holds in braces: {{.Name}}, {{.State.Status}},
// {{.Ports.0.Host}}, {{json .}}. With text/template in it the linker would keep
// every method of every type in the program.
var field = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{\s*(json\s+)?(\.[\w.]*)\s*\}\}`) })

// printEach prints each of a list as JSON or as a format says.
//
// "table FORMAT" makes a table with the fields' names above; \t and \n may be written
// as two characters.
func printEach[T any](out io.Writer, format string, list []T) error {
	format = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(format)
	if columns, is := strings.CutPrefix(format, "table "); is {
		w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
		fmt.Fprintln(w, field().ReplaceAllStringFunc(columns, func(s string) string {
			name := field().FindStringSubmatch(s)[2]
			return strings.ToUpper(name[strings.LastIndexByte(name, '.')+1:])
		}))
		if err := printEach(w, columns, list); err != nil {
			return err
		}
		return w.Flush()
	}
	if rest := field().ReplaceAllString(format, ""); format != "json" && strings.Contains(rest, "{{") {
		return fmt.Errorf("--format %q: want json, or fields such as {{.Name}} and {{json .}}", format)
	}
	for _, v := range list {
		b, err := jsonLine(v)
		if err != nil {
			return err
		}
		line := b
		if format != "json" {
			if line, err = fill(format, b); err != nil {
				return fmt.Errorf("--format %q: %w", format, err)
			}
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// jsonLine is v in JSON.
func jsonLine(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// fill puts the fields of an object, in JSON, into a format.
func fill(format, object string) (string, error) {
	d := json.NewDecoder(strings.NewReader(object))
	d.UseNumber()
	var top any
	if err := d.Decode(&top); err != nil {
		return "", err
	}
	var failed error
	text := field().ReplaceAllStringFunc(format, func(s string) string {
		m := field().FindStringSubmatch(s)
		v, err := lookUp(top, m[2])
		if err == nil && m[1] == "" {
			if text, ok := v.(string); ok {
				return text
			}
		}
		var line string
		if err == nil {
			line, err = jsonLine(v)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return line
	})
	return text, failed
}

// lookUp follows a path such as ".Ports.0.Host".
func lookUp(v any, path string) (any, error) {
	for name := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		if name == "" {
			return v, nil
		}
		var ok bool
		switch x := v.(type) {
		case map[string]any:
			v, ok = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if ok = err == nil && 0 <= i && i < len(x); ok {
				v = x[i]
			}
		}
		if !ok {
			return nil, fmt.Errorf("there is no field %s", path)
		}
	}
	return v, nil
}
