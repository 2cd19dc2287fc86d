package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// frame is what stands in the terminal for so many seconds.
type frame struct {
	lines   []string
	seconds float64
}

// Sizes in pixels.
const (
	lineHeight = 18
	twoChars   = 17
	margin     = 14
	pause      = 4 // seconds at the end, before it begins anew
)

// row is a line at its place, from a time to another one.
type row struct {
	text     string
	y        int
	from, to float64 // seconds
}

// rowsOf gives the lines of frames. One that stays is one.
func rowsOf(frames []frame) (list []row, total float64) {
	open := map[int]int{} // by the line's number, its index in list
	for _, f := range frames {
		for y := range rows {
			text := ""
			if y < len(f.lines) {
				text = f.lines[y]
			}
			i, is := open[y]
			if is && list[i].text == text {
				continue
			}
			if is {
				list[i].to = total
				delete(open, y)
			}
			if text != "" {
				open[y] = len(list)
				list = append(list, row{text, y, total, 0})
			}
		}
		total += f.seconds
	}
	total += pause
	for _, i := range open {
		list[i].to = total
	}
	return list, total
}

// draw makes an SVG in which rows come and go, in a loop. Who shows no animations shows
// the end.
func draw(frames []frame) []byte {
	list, total := rowsOf(frames)
	width, height := columns*twoChars/2+2*margin, rows*lineHeight+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n<title>alpinevm in a terminal</title>\n", width, height, width, height)
	b.WriteString("<style>\ntext{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#d6deeb;white-space:pre}\n")
	classes := map[[2]float64]int{}
	for _, r := range list {
		span := [2]float64{r.from, r.to}
		if _, is := classes[span]; is {
			continue
		}
		n := len(classes)
		classes[span] = n
		from, to := 100*r.from/total, 100*r.to/total
		fmt.Fprintf(&b, "@keyframes k%d{0%%{visibility:hidden}%.2f%%{visibility:visible}%.2f%%,100%%{visibility:hidden}}\n", n, from, to)
		rest := "hidden"
		if r.to == total {
			rest = "visible"
		}
		fmt.Fprintf(&b, ".c%d{visibility:%s;animation:k%d %.1fs step-end infinite}\n", n, rest, n, total)
	}
	fmt.Fprintf(&b, "</style>\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0b1622\"/>\n")
	slices.SortStableFunc(list, func(a, b row) int { return a.y - b.y })
	for _, r := range list {
		fmt.Fprintf(&b, "<text class=\"c%d\" x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", classes[[2]float64{r.from, r.to}], margin, margin+(r.y+1)*lineHeight-4, escape(r.text))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// escape makes text fit for XML.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes all
	return b.String()
}
