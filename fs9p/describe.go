package fs9p

import (
	"fmt"
	"reflect"
	"strings"
)

// describedData is how much of the data of a message Describe shows.
const describedData = 32

// Describe gives a message in a line, for a trace: its type and fields, of
// data the beginning.
func Describe(tag uint16, m Message) string {
	var data []byte
	switch m := m.(type) {
	case nil:
		return fmt.Sprintf("tag %d malformed", tag)
	case *Rlerror:
		return fmt.Sprintf("tag %d Rlerror %v", tag, Errno(m.Errno))
	case *Twrite:
		return fmt.Sprintf("tag %d Twrite {Fid:%d Offset:%d %s}", tag, m.Fid, m.Offset, describe(m.Data))
	case *Rread:
		data = m.Data
	case *Rreaddir:
		data = m.Data
	default:
		return fmt.Sprintf("tag %d %v %s", tag, m.Type(), describeFields(reflect.ValueOf(m).Elem()))
	}
	return fmt.Sprintf("tag %d %v {%s}", tag, m.Type(), describe(data))
}

// describeFields is what %+v makes of a message, but that text, which is the
// guest's, stands in quotes.
func describeFields(v reflect.Value) string {
	var fields []string
	for i := range v.NumField() {
		format := "%s:%+v"
		if f := v.Field(i); f.Kind() == reflect.String || f.Type() == reflect.TypeFor[[]string]() {
			format = "%s:%q"
		}
		fields = append(fields, fmt.Sprintf(format, v.Type().Field(i).Name, v.Field(i)))
	}
	return "{" + strings.Join(fields, " ") + "}"
}

func describe(data []byte) string {
	if len(data) > describedData {
		return fmt.Sprintf("%d bytes: %q...", len(data), data[:describedData])
	}
	return fmt.Sprintf("%d bytes: %q", len(data), data)
}
