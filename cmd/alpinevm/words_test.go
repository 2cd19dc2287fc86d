package main

import (
	"bytes"
	"strings"
	"testing"
)

// answer is what a command line that is wrong is answered by.
func answer(args ...string) (out string, err error) {
	var b bytes.Buffer
	c := newCommand()
	c.SetOut(&b)
	c.SetErr(&b)
	c.SetArgs(args)
	err = c.Execute()
	return b.String(), err
}

// TestWords types words and flags that there are not.
func TestWords(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"rnu alpine", `unknown command "rnu"; did you mean alpinevm run?`},
		{"RUN alpine", `unknown command "RUN"; did you mean alpinevm run?`},
		{"runn -it alpine", `unknown command "runn"; did you mean alpinevm run?`},
		{"sl", `unknown command "sl"; did you mean alpinevm ls?`},
		{"imags", `unknown command "imags"; did you mean alpinevm image?`},
		{"dcotor", `unknown command "dcotor"; did you mean alpinevm doctor?`},
		{"versoin", `unknown command "versoin"; did you mean alpinevm version?`},
		{"nosuch", `unknown command "nosuch"; alpinevm --help lists the commands`},
		{"xx", `unknown command "xx"; alpinevm --help lists the commands`},
		{"q", `unknown command "q"; alpinevm --help lists the commands`},
		{"alpine uname", `unknown command "alpine"; alpinevm --help lists the commands`},
		{"bench go-biuld", `unknown command "go-biuld"; did you mean alpinevm bench go-build?`},
		{"bench exec", `unknown command "exec"; alpinevm bench --help lists the commands`},
		{"run --memroy 1G", `unknown flag: --memroy; did you mean --memory?`},
		{"run --MEMORY 1G", `unknown flag: --MEMORY; did you mean --memory?`},
		{"run --hostnme x", `unknown flag: --hostnme; did you mean --hostname?`},
		{"run --vol x", `unknown flag: --vol; did you mean --volume?`},
		{"run --xyzzy", `unknown flag: --xyzzy; alpinevm run --help lists the flags`},
		{"run -Z", `unknown shorthand flag: 'Z' in -Z; alpinevm run --help lists the flags`},
		{"run --cap-dorp ALL", `unknown flag: --cap-dorp; for --cap-drop, ` + allRights},
		{"run --cap-drop ALL", `unknown flag: --cap-drop; ` + allRights},
		{"run -P", `unknown shorthand flag: 'P' in -P; use -p HOST:GUEST, or -p GUEST for a port that the host chooses`},
		{"ps --sizes", `unknown flag: --sizes; for --size, alpinevm ls shows what machines take on the disk`},
		{"container start -a box", `unknown shorthand flag: 'a' in -a; ` + inTerminal},
		{"-H tcp://x ps", `unknown shorthand flag: 'H' in -H; ` + noDaemon},
		{"ps box", `ps: it takes no arguments, and was given "box"; alpinevm ps --help shows how`},
		{"rename box", `rename: want NAME NEW; alpinevm rename --help shows how`},
		{"tag a b c", `tag: "c" is one too many: want IMAGE NAME[:TAG]; alpinevm tag --help shows how`},
		{"run disk.qcow2", `disk.qcow2 is no name of an image: ` + fileEndings[0].hint},
		{"run ./root", `./root is no name of an image: --rootfs takes a folder, a tarball, an archive of docker save or an OCI layout`},
		{"run --restart always alpine", `--restart always: leave it out: ` + noDaemon + `; alpinevm start, or the host's init, starts a machine again`},
		{"pull --quite x", `unknown flag: --quite; did you mean --quiet?`},
		{"bench boot --kernle x", `unknown flag: --kernle; did you mean --kernel?`},
		{"--kernel x", `unknown flag: --kernel; ` + ofRun},
		{"--nosuch", `unknown flag: --nosuch; alpinevm --help lists the flags`},
	} {
		if out, err := answer(strings.Fields(tt.typed)...); err == nil || err.Error() != tt.want || out != "" {
			t.Errorf("%s: %q, %v; want %s", tt.typed, out, err, tt.want)
		}
	}
}

// TestForeignWords: each word of others is answered in a line, whatever follows it,
// and none of them is a command of ours.
func TestForeignWords(t *testing.T) {
	for word, hint := range words {
		for _, more := range []string{"", " -it box sh", " --all", " --help=x"} {
			_, err := answer(strings.Fields(word + more)...)
			if want := `there is no command "` + word + `": ` + hint; err == nil || err.Error() != want || strings.Contains(want, "\n") {
				t.Errorf("%s%s: %v; want %s", word, more, err, want)
			}
		}
		if c, _, err := newCommand().Find([]string{word}); err == nil && c.HasParent() {
			t.Errorf("%s is a command: take it out of the table", word)
		}
	}
	for _, word := range strings.Fields("attach build commit cp create exec export import inspect kill load login logs network pause port ps push rename restart save start stats stop tag top volume wait") {
		if c, _, err := newCommand().Find([]string{word}); words[word] == "" && (err != nil || !c.HasParent()) {
			t.Errorf("docker's %s is neither a command nor answered", word)
		}
	}
}

func TestVersions(t *testing.T) {
	var first string
	for _, how := range []string{"--version", "-v", "version"} {
		out, err := answer(how)
		line, _, _ := strings.Cut(out, "\n")
		if first == "" {
			first = line
		}
		if err != nil || line != first || !strings.HasPrefix(line, "alpinevm ") {
			t.Errorf("%s: %q, %v", how, out, err)
		}
	}
}

func TestNear(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"run", "run", 0}, {"rnu", "run", 1}, {"run", "", 3}, {"", "ls", 2}, {"rm", "rmi", 1}, {"bench", "bnech", 1}, {"pull", "push", 2}, {"äb", "ab", 1}, {"abcd", "badc", 2}} {
		if got := near(tt.a, tt.b); got != tt.want || near(tt.b, tt.a) != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestNewMachine(t *testing.T) {
	for _, tt := range []struct {
		name   string
		others []string
		want   string
	}{
		{"box", nil, "new machine box"}, {"bxo", []string{"web", "box"}, "new machine bxo; there is a machine box"},
		{"database", []string{"box", "web"}, "new machine database"}, {"box2", []string{"box"}, "new machine box2; there is a machine box"},
	} {
		if got := newMachine(tt.name, tt.others); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
