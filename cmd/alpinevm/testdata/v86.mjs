// Runs a guest under Node and measured commands in it, ours or v86's.
// node v86.mjs CONFIG, a file of JSON: what one of the machines below takes, its name as
// "machine", its shell's "prompt", and "commands", of which each is {row, warm, run}. What
// is said is lines of JSON: {row, begin: true}, {row, end: true, status, output} and
// {row, instructions}, the first row being "boot"; {output} is what the guest says.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { translator } from "../../../web/src/jit.mjs";

const say = (m) => process.stdout.write(JSON.stringify(m) + "\n");

/** Our page's program, as a page's worker has it. */
async function ours(config, output) {
  createRequire(import.meta.url)(config.bridge);
  let stat = () => {};
  globalThis.alpinevm = {
    machine: readFileSync(`${config.site}/machine.json`, "utf8"),
    network: { way: "none" },
    terminal: { cols: 80, rows: 24 },
    get: (name) => new Uint8Array(readFileSync(`${config.site}/chunks/${name}`)),
    send(m) {
      if (m.type === "output") output(Buffer.from(m.data).toString("latin1"));
      else if (m.type === "stat") stat(m.total);
      else if (m.type === "error" || m.type === "exit") throw new Error(`the machine has ended: ${m.text ?? m.cause}`);
    },
  };
  const go = new Go();
  const attach = translator(go.importObject);
  const { instance } = await WebAssembly.instantiate(readFileSync(config.program), go.importObject);
  attach(instance);
  go.run(instance);
  return {
    type: (text) => globalThis.alpinevm.receive({ type: "input", data: new Uint8Array(Buffer.from(text)) }),
    // The machine says so each second.
    instructions: () => new Promise((resolve) => (stat = resolve)),
  };
}

/** v86 with its BIOS, a kernel, an initial root file system and a root on 9p. */
async function v86(config, output) {
  const { V86 } = await import(pathToFileURL(`${config.package}/build/libv86.mjs`));
  const emulator = new V86({
    wasm_path: `${config.package}/build/v86.wasm`,
    memory_size: config.memory, vga_memory_size: 2 << 20,
    bios: { url: config.bios },
    bzimage: { url: config.kernel }, initrd: { url: config.initrd }, cmdline: config.cmdline,
    filesystem: { baseurl: `${config.root}/files/`, basefs: `${config.root}/fs.json` },
    disable_keyboard: true, disable_mouse: true, disable_speaker: true, autostart: true,
  });
  emulator.add_listener("serial0-output-byte", (b) => output(String.fromCharCode(b)));
  // Its counter has 32 bits.
  let total = 0, last = 0;
  const count = () => {
    const now = emulator.get_instruction_counter();
    total += (now - last) >>> 0;
    last = now;
    return total;
  };
  setInterval(count, 100);
  return { type: (text) => emulator.serial0_send(text), instructions: async () => count() };
}

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
let seen = "", wake = () => {};
const until = async (text) => {
  while (!seen.includes(text)) await new Promise((resolve) => (wake = resolve));
  const at = seen.indexOf(text);
  const before = seen.slice(0, at);
  seen = seen.slice(at + text.length);
  return before;
};
say({ row: "boot", begin: true });
let line = "";
const machine = await { ours, v86 }[config.machine](config, (text) => {
  seen += text;
  line += text;
  const lines = line.split("\n");
  line = lines.pop();
  for (const output of lines) say({ output });
  wake();
});
await until(config.prompt);
say({ row: "boot", end: true, status: 0 });
let before = await machine.instructions();
say({ row: "boot", instructions: before });

/** Runs a command at the shell. Its end is seen by what its echo is not. */
async function run(command) {
  machine.type(`${command}; echo over"="$?.\n`);
  const output = await until("over=");
  return { output, status: Number(await until(".")) };
}
for (const { row, warm, run: command } of config.commands) {
  if (warm) await run(warm);
  before = await machine.instructions();
  say({ row, begin: true });
  const { status, output } = await run(command);
  say({ row, end: true, status, output });
  say({ row, instructions: (await machine.instructions()) - before });
}
process.exit(0);
