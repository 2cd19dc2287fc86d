package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// program is what somebody makes of the package.
const program = `import { AlpineVM, AlpineVMError, type Options, type NetworkState } from "alpinevm";
import { AlpineVMElement } from "alpinevm/element";

const options: Options = { image: "/machine/", network: "fetch", mirrors: ["https://mirror.example.org/alpine"], https: ["api.example.org"], memory: 256 };
export async function main(): Promise<string> {
  const vm = await AlpineVM.create(options);
  vm.on("network", (n: NetworkState) => console.log(n.way));
  vm.on("error", (e) => console.log(e instanceof AlpineVMError));
  const { code, stdout } = await vm.exec(["uname"]);
  for await (const e of vm.readDir("/")) console.log(e.name, e.size);
  const element: AlpineVMElement | null = document.querySelector("alpine-vm");
  element?.terminal.write("text");
  await vm.shutdown();
  return code + stdout;
}
`

// wrong is a program that TypeScript is to refuse: the types say something.
const wrong = `import { AlpineVM } from "alpinevm";
await AlpineVM.create({ network: 5 });
`

// patience is how long all programs of a test may take.
const patience = 5 * time.Minute

// TestPackage installs the package in a project of somebody's, checks a program against
// its types, and bundles it.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: packs the page and starts npm; the full run does")
	}
	root := filepath.Join("..", "..")
	offline := os.Getenv("ALPINEVM_OFFLINE") == "1"
	npm, err := exec.LookPath("npm")
	if err != nil && offline {
		t.Skip("not here: there is no npm, and ALPINEVM_OFFLINE=1 forbids to fetch it")
	} else if err != nil {
		t.Fatal("there is no npm: scripts/tools.sh installs it")
	}
	compiler, err := typescript(root)
	if err != nil && offline {
		t.Skip("not here: there is no TypeScript, and ALPINEVM_OFFLINE=1 forbids to fetch it")
	} else if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := pack(root, dir, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(file) != "alpinevm-1.2.3.tgz" {
		t.Errorf("the package is %s", file)
	}
	for name, text := range map[string]string{
		"package.json": `{"name": "project", "version": "1.0.0", "type": "module", "private": true}`, "main.ts": program, "wrong.ts": wrong,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	run := func(name string, args ...string) (string, error) {
		c := exec.CommandContext(ctx, name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"), "npm_config_update_notifier=false")
		text, err := c.CombinedOutput()
		if ctx.Err() != nil {
			t.Fatalf("%s: %v have passed: %s", c, patience, text)
		}
		return string(text), err
	}
	if text, err := run(npm, "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "./"+filepath.Base(file)); err != nil {
		t.Fatalf("npm install: %v: %s", err, text)
	}
	for _, resolution := range []string{"bundler", "nodenext"} {
		module := map[string]string{"bundler": "esnext", "nodenext": "nodenext"}[resolution]
		check := func(file string) (string, error) {
			return run("node", filepath.Join(compiler, "lib", "tsc.js"), "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", module, "--moduleResolution", resolution, file)
		}
		if text, err := check("main.ts"); err != nil {
			t.Errorf("%s: %v: %s", resolution, err, text)
		}
		if text, err := check("wrong.ts"); err == nil || !strings.Contains(text, "not assignable") {
			t.Errorf("%s: a network 5 is taken: %v: %s", resolution, err, text)
		}
	}
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join(dir, "main.ts")}, AbsWorkingDir: dir, Bundle: true, Format: api.FormatESModule, Outdir: filepath.Join(dir, "out"), Write: true, LogLevel: api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		t.Errorf("esbuild: %v", result.Errors[0].Text)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "out", "main.js")); err != nil || !strings.Contains(string(data), "alpine-vm") {
		t.Errorf("what is bundled has no element: %v", err)
	}
	for _, name := range []string{"worker.js", "sw.js", "alpinevm.wasm.gz", "README.md", "LICENSE", "NOTICE"} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "alpinevm", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestNumber(t *testing.T) {
	for version, want := range map[string]string{"v0.1.0": "0.1.0", "v1.0.0-rc.1": "1.0.0-rc.1", "dev": "0.0.0-dev"} {
		if got := number(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}
