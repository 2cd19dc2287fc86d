package bench

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// readNative follows the marks of a script that runs on the host.
func readNative(r io.Reader, res *Result, report func(string)) {
	var begin time.Time
	for s := bufio.NewScanner(r); s.Scan(); {
		if _, ok := strings.CutPrefix(s.Text(), markBegin); ok {
			begin = time.Now()
		} else if name, ok := strings.CutPrefix(s.Text(), markEnd); ok {
			d := time.Since(begin)
			res.Steps = append(res.Steps, Step{Name: name, Where: Native, Time: d})
			report(fmt.Sprintf("%s on the host: %.2f s", name, d.Seconds()))
		}
	}
}
