// The page that alpinevm serve and alpinevm web build show.
import type { AlpineVMElement } from "./element";
import { AlpineVM, type Stat } from "./alpinevm";
import { sentence } from "./errors";
import { keepAll, lookedAfter } from "./offline";

const $ = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const machine = document.querySelector("alpine-vm") as AlpineVMElement;

// The page's address says what its machine is kept under: ?name=box.
const kept = new URL(location.href).searchParams.get("name");
if (kept) machine.setAttribute("name", kept);

machine.addEventListener("started", (e) => {
  const vm = (e as CustomEvent<AlpineVM>).detail;
  vm.on("stat", show);
  vm.on("network", (n) => {
    const light = $("network");
    const state = n.relay ?? n.way;
    [light.textContent, light.title] = networks[state]!;
    if (n.why) light.title = n.why;
    light.dataset.state = state;
  });
  vm.on("kept", (k) => {
    $("kept").removeAttribute("href");
    $("kept").textContent = k.kept ? `kept as ${k.name}` : "not kept";
    $("kept").title = k.why ?? "What the guest writes stays in this browser: come back to this address. Clearing the site's data removes it.";
  });
});

// What the light says of the network, and a sentence more.
const networks: Record<string, [string, string]> = {
  relay: ["network: relay", "The guest's connections go through a relay, which is asked when the first one is made."],
  connected: ["network: relay", "The guest's connections go through the relay of this page's server."],
  lost: ["no relay", "The relay does not answer: it is asked again when the guest connects."],
  fetch: ["network: fetch", "There is no relay. What the guest asks of port 80 by HTTP, this browser fetches, from hosts that let every page read them (CORS)."],
  none: ["no network", "The guest reaches nobody. The page reaches the guest's servers."],
};

function show(s: Stat): void {
  const rate = s.instructions / s.seconds / 1e6;
  figure("rate", `${rate < 2 ? "< 2" : Math.round(rate)} M instructions/s`); // the same all the time where the guest does nothing
  figure("idle", `${Math.min(100, Math.round((100 * s.idle) / s.seconds))} % idle`);
  figure("memory", `${mebibytes(s.memory)} of ${mebibytes(s.taken)} MiB`);
}

const mebibytes = (n: number) => Math.round(n / (1 << 20));

/** Writes a figure where it is another one: the page is drawn anew for it. */
function figure(id: string, text: string): void {
  if ($(id).textContent !== text) $(id).textContent = text;
}

await import("./element"); // which starts the machine

// What is there without a network comes when the machine has what it begins with.
const first = machine.terminal.onWriteParsed(() => {
  first.dispose();
  void lookedAfter().then((yes) => yes && keepAll());
});

// Keys that phones' keyboards lack.
const sequences: Record<string, string> = { esc: "\x1b", tab: "\t" };
const arrows: Record<string, string> = { up: "A", down: "B", left: "D", right: "C" };
let control = false;
function setControl(on: boolean): void {
  control = on;
  document.querySelector('#keys [data-key="ctrl"]')!.setAttribute("aria-pressed", String(on));
}
document.querySelectorAll<HTMLButtonElement>("#keys button").forEach((b) => {
  b.onclick = () => {
    const key = b.dataset.key!;
    const lead = machine.terminal.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[";
    if (key === "ctrl") setControl(!control);
    else machine.terminal.input(sequences[key] ?? lead + arrows[key]!);
    machine.terminal.focus();
  };
});
// A phone's keyboard gives texts, and no keys.
machine.typed = (text) => {
  if (!control || !/^[@-_a-z]$/.test(text)) return text;
  setControl(false);
  return String.fromCharCode(text.toUpperCase().charCodeAt(0) & 31);
};

// The files of a folder of the guest.
let listed = "";
async function list(folder: string): Promise<void> {
  const rows = $("files");
  if ($<HTMLInputElement>("folder").value !== folder || folder !== listed) rows.replaceChildren(); // they are another folder's
  $<HTMLInputElement>("folder").value = listed = folder;
  try {
    const entries = [];
    for await (const e of machine.vm!.readDir(folder)) entries.push(e);
    entries.sort((a, b) => Number(b.dir) - Number(a.dir) || a.name.localeCompare(b.name));
    rows.replaceChildren(
      ...entries.map((e) => {
        const button = document.createElement("button");
        const name = `${folder === "/" ? "" : folder}/${e.name}`;
        button.type = "button";
        button.textContent = e.dir ? `${e.name}/` : e.name;
        button.title = e.dir ? "look into it" : `download, ${e.size} bytes`;
        button.onclick = () => void (e.dir ? list(name) : download(name, e.name));
        return button;
      }),
    );
    say("");
    await servers();
  } catch (err) {
    say(sentence(err));
  }
}

// The guest's servers, as links. In /proc/net/tcp the state 0A is that of one that listens.
async function servers(): Promise<void> {
  const { stdout } = await machine.vm!.exec(["cat", "/proc/net/tcp", "/proc/net/tcp6"]);
  const ports = new Set([...stdout.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A/gm)].map((m) => parseInt(m[1]!, 16)));
  const links = [];
  for (const port of [...ports].sort((a, b) => a - b)) {
    const a = document.createElement("a");
    a.href = await machine.vm!.url(port);
    a.target = "_blank";
    a.textContent = `server at port ${port}`;
    links.push(a, " ");
  }
  $("servers").replaceChildren(...links);
}

function say(text: string): void {
  $("said").textContent = text;
}

async function download(name: string, as: string): Promise<void> {
  try {
    save(new Blob([(await machine.vm!.readFile(name)) as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" }), as); // which browsers give no other ending
  } catch (err) {
    say(sentence(err));
  }
}

function save(data: Blob, as: string): void {
  const a = document.createElement("a");
  a.href = URL.createObjectURL(data);
  a.download = as;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000);
}

async function upload(files: FileList): Promise<void> {
  const folder = $<HTMLInputElement>("folder").value || "/root";
  for (const f of files) {
    try {
      await machine.vm!.writeFile(`${folder}/${f.name}`, new Uint8Array(await f.arrayBuffer()));
    } catch (err) {
      say(`${f.name}: ${sentence(err)}`);
      return;
    }
  }
  await list(folder);
}

$("show").onclick = () => {
  const panel = $("panel");
  panel.hidden = !panel.hidden;
  $("show").setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) void list($<HTMLInputElement>("folder").value || "/root");
};
$("folder").onchange = () => void list($<HTMLInputElement>("folder").value);
$("upper").onclick = () => void list($<HTMLInputElement>("folder").value.replace(/\/[^/]*\/?$/, "") || "/");
$<HTMLInputElement>("add").onchange = (e) => void upload((e.target as HTMLInputElement).files!);
for (const kind of ["dragover", "drop"])
  document.body.addEventListener(kind, (e) => {
    e.preventDefault();
    const d = e as DragEvent;
    if (kind === "drop" && d.dataTransfer?.files.length) {
      $("panel").hidden = false;
      void upload(d.dataTransfer.files);
    }
  });

// A machine from elsewhere, under the name that was given or its file's.
async function bring(archive: File): Promise<void> {
  const name = $<HTMLInputElement>("as").value || archive.name.replace(/(\.tar)?(\.[a-z0-9]+)?$/i, "").replace(/[^A-Za-z0-9_.-]/g, "-");
  try {
    await AlpineVM.import(archive, { name, onProgress: (p) => say(`${p.phase}${p.total ? ` ${Math.round((100 * p.done!) / p.total)} %` : ""}`) });
    location.href = `?name=${encodeURIComponent(name)}`;
  } catch (err) {
    say(`${archive.name} as ${name}: ${sentence(err)}`);
  }
}
const importing = $<HTMLFormElement>("import");
importing.onsubmit = (e) => e.preventDefault();
$<HTMLInputElement>("archive").onchange = (e) => void bring((e.target as HTMLInputElement).files![0]!);
importing.addEventListener("drop", (e) => {
  e.preventDefault();
  e.stopPropagation(); // which would put it into the guest
  if (e.dataTransfer?.files.length) void bring(e.dataTransfer.files[0]!);
});

$("export").onclick = async () => {
  say("making the archive");
  try {
    save(await machine.vm!.export(), `${kept ?? "machine"}.tar.gz`);
    say("alpinevm import FILE NAME makes an image of it, which alpinevm run starts.");
  } catch (err) {
    say(sentence(err));
  }
};
