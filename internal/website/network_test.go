package website

import (
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// TestPlainRepositories: repositories of hosts that are fetched are asked by http.
func TestPlainRepositories(t *testing.T) {
	for _, tt := range []struct{ have, want string }{
		{"https://dl.example/alpine/v3/main\nhttps://dl.example/alpine/v3/community\n", "http://dl.example/alpine/v3/main\nhttp://dl.example/alpine/v3/community\n"},
		{"# https://dl.example/\nhttps://DL.example/a\n@edge https://dl.example/b\nhttps://other.example/c\n/media/d\n", "# https://dl.example/\nhttp://DL.example/a\n@edge http://dl.example/b\nhttps://other.example/c\n/media/d\n"},
		{"https://dl.example.org/a\nhttps://dl.example:444/b\nhttps://dl.example", "https://dl.example.org/a\nhttps://dl.example:444/b\nhttps://dl.example"},
		{"", ""},
	} {
		root := memfs.New(memfs.Config{})
		if err := fs9p.WriteFile(root, repositoriesFile, []byte(tt.have), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := PlainRepositories(root, func(h string) bool { return h == "dl.example" }); err != nil {
			t.Fatal(err)
		}
		if got, err := fs9p.ReadFile(fs9p.IOFS(root), repositoriesFile, maxRepositories); err != nil || string(got) != tt.want {
			t.Errorf("%q becomes %q, %v; want %q", tt.have, got, err, tt.want)
		}
	}
	if err := PlainRepositories(memfs.New(memfs.Config{}), func(string) bool { return true }); err != nil {
		t.Errorf("a root without apk: %v", err)
	}
}
