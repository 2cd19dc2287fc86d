// Runs the program under Node, as a page's worker would in a browser.
// node node.mjs WASM_EXEC WASM DIR; messages come and go as lines of JSON, bytes in base64.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { translator } from "../../../web/src/jit.mjs";

const [wasmExec, wasm, dir] = process.argv.slice(2);
createRequire(import.meta.url)(wasmExec);

const pack = (k, v) => (v instanceof Uint8Array ? { base64: Buffer.from(v).toString("base64") } : v);
const unpack = (k, v) => (v && typeof v === "object" && "base64" in v ? new Uint8Array(Buffer.from(v.base64, "base64")) : v);
const options = JSON.parse(process.env.ALPINEVM_OPTIONS ?? "{}");
globalThis.alpinevm = {
  machine: readFileSync(`${dir}/machine.json`, "utf8"),
  network: { way: "none" },
  ...options,
  get: (name) => new Uint8Array(readFileSync(`${dir}/chunks/${name}`)),
  send: (m) => process.stdout.write(JSON.stringify(m, pack) + "\n"),
};
// A timer that must run while the guest computes.
let ticks = 0;
setInterval(() => ticks++, 10).unref();
createInterface({ input: process.stdin }).on("line", (line) => {
  const m = JSON.parse(line, unpack);
  if (m.type === "ticks") globalThis.alpinevm.send({ type: "ticks", n: ticks });
  else globalThis.alpinevm.receive(m);
}).on("close", () => process.exit(0));
const go = new Go();
const attach = translator(go.importObject);
const { instance } = await WebAssembly.instantiate(readFileSync(wasm), go.importObject);
attach(instance);
await go.run(instance);
globalThis.alpinevm.send({ type: "end", cpu: process.cpuUsage() });
process.exit(0);
