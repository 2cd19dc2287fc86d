// Runs in a page that a test shows to Firefox, and posts to the test what it sees: steps in
// their order, and twice a second what the page shows.
const post = (step, text) => fetch("/result", { method: "POST", body: JSON.stringify({ step, text: String(text) }) }).catch(() => undefined);
addEventListener("error", (e) => post("error", e.message));
addEventListener("unhandledrejection", (e) => post("error", e.reason?.message ?? e.reason));

const element = document.querySelector("alpine-vm");
const over = () => element.shadowRoot?.querySelector(".overlay:not([hidden])")?.textContent ?? "";
function screen() {
  const b = element.terminal?.buffer.active;
  return Array.from({ length: b?.length ?? 0 }, (_, i) => b.getLine(i).translateToString(true)).join("\n").trim();
}
setInterval(() => post("seen", `${screen()} | ${over()}`), 500);
async function until(want) {
  while (!want()) await new Promise((r) => setTimeout(r, 100));
}

await until(() => screen().endsWith("here: #"));
await post("prompt", navigator.userAgent);
const vm = element.vm;
element.terminal.input("uname -nm\r");
await until(() => screen().includes("tab i686"));
await post("typed", "tab i686");
const run = await vm.exec(["sh", "-c", "cat; pwd; echo $A >&2; exit 3"], { stdin: "in ", cwd: "/tmp", env: { A: "b" } });
await post("exec", JSON.stringify(run));
await vm.writeFile("/root/f", "text");
await post("files", new TextDecoder().decode(await vm.readFile("/root/f")) + (await vm.stat("/root/f")).size);
const apk = await vm.exec(["sh", "-c", 'printf %s "$KEY" >/etc/apk/keys/test.rsa.pub; sed -i /community/d /etc/apk/repositories; apk add -q --no-cache hello && hello']);
await post("apk", apk.stdout + apk.stderr);
await vm.shutdown();
await until(over);
await post("ended", over());
