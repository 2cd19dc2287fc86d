package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// TestRows: a line that stays is one, from its first frame to its last.
func TestRows(t *testing.T) {
	list, total := rowsOf([]frame{{[]string{"$"}, 1}, {[]string{"$ ls", "f"}, 2}, {[]string{"$ ls", "", "$"}, 1}})
	want := []row{{"$", 0, 0, 1}, {"$ ls", 0, 1, 4 + pause}, {"f", 1, 1, 3}, {"$", 2, 3, 4 + pause}}
	if total != 4+pause || len(list) != len(want) {
		t.Fatalf("%v, %v", list, total)
	}
	for i, w := range want {
		if list[i] != w {
			t.Errorf("%v, want %v", list[i], w)
		}
	}
}

// TestPicture: README's picture is XML, small, and of this session.
func TestPicture(t *testing.T) {
	b, err := os.ReadFile("session.svg")
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 60<<10 {
		t.Errorf("it has %d bytes", len(b))
	}
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, is := token.(xml.CharData); is {
			text.Write(c)
			text.WriteByte('\n')
		}
	}
	for _, s := range session {
		if !strings.Contains(text.String(), s.typed+"\n") {
			t.Errorf("there is no %q in it: record it anew", s.typed)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil || !bytes.Contains(readme, []byte("(scripts/record/session.svg)")) {
		t.Errorf("README does not show it: %v", err)
	}
}
