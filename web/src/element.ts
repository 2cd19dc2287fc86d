// <alpine-vm image="..." name="box" memory="256" network="fetch" mirrors="https://..."></alpine-vm>: a machine with a terminal.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import xtermStyle from "../vendor/xterm/xterm.css";
import { AlpineVM, type Console, type End } from "./alpinevm";
import { sentence } from "./errors";
import type { Engine } from "./protocol";
import { Overlay } from "./overlay";
import style from "./element.css";

export class AlpineVMElement extends HTMLElement {
  /** The machine, once it has been started. */
  vm?: AlpineVM;
  readonly terminal: Terminal;
  /** Gives what is sent for what was typed, by whatever keyboard. */
  typed: (text: string) => string = (text) => text;
  private readonly fit = new FitAddon();
  private readonly overlay: Overlay;
  private readonly screen: HTMLElement;
  private watch?: ResizeObserver;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.innerHTML = `<style>${xtermStyle}${style}</style><div part="screen" class="screen"></div>`;
    this.screen = root.querySelector<HTMLElement>(".screen")!;
    this.terminal = new Terminal({ fontSize: 14, fontFamily: "ui-monospace, Menlo, Consolas, monospace", scrollback: 5000, theme: { background: "#0d1117" } });
    this.terminal.loadAddon(this.fit);
    this.overlay = new Overlay(root);
  }

  connectedCallback(): void {
    if (this.watch) return;
    this.terminal.open(this.screen);
    this.watch = new ResizeObserver(() => this.fit.fit());
    this.watch.observe(this.screen);
    this.fit.fit();
    void this.start();
  }

  disconnectedCallback(): void {
    this.watch?.disconnect();
    this.watch = undefined;
    this.vm?.terminate();
  }

  /** Starts the machine, anew if there was one. */
  async start(): Promise<void> {
    this.vm?.terminate();
    this.terminal.reset();
    this.overlay.progress({ phase: "starting" });
    const first = this.terminal.onWriteParsed(() => {
      first.dispose();
      this.overlay.hide();
    });
    const made = AlpineVM.create({
      image: this.getAttribute("image") ?? undefined,
      base: this.getAttribute("base") ?? undefined,
      network: this.getAttribute("network") ?? undefined,
      mirrors: words(this.getAttribute("mirrors")),
      https: words(this.getAttribute("https")),
      name: this.getAttribute("name") ?? undefined,
      memory: number(this.getAttribute("memory")),
      snapshot: this.getAttribute("snapshot") === "none" ? null : (this.getAttribute("snapshot") ?? undefined),
      engine: (this.getAttribute("engine") as Engine | null) ?? undefined,
      terminal: this.console(),
      onProgress: (p) => this.overlay.progress(p),
    });
    const vm = await made.catch((err: unknown) => this.overlay.fail(sentence(err), () => void this.start()));
    if (!vm) return;
    this.vm = vm;
    vm.on("kept", (k) => k.kept || this.say(k.why!));
    vm.on("notice", (text) => this.say(text));
    vm.on("error", (err) => this.overlay.fail(err.message, () => void this.start()));
    vm.on("exit", (end) => this.overlay.fail(ended(end), () => void this.start()));
    this.terminal.focus();
    this.dispatchEvent(new CustomEvent("started", { detail: vm }));
  }

  /** The terminal as the machine has it. */
  private console(): Console {
    const t = this.terminal;
    return { cols: t.cols, rows: t.rows, write: (data) => t.write(data), onData: (f) => t.onData((text) => f(this.typed(text))), onResize: (f) => t.onResize(f) };
  }

  /** Writes a sentence of ours between what the guest writes. */
  private say(text: string): void {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1)!.length + 1 + word.length > this.terminal.cols) lines.push("");
      lines.push(`${lines.pop()!} ${word}`.trimStart());
    }
    this.terminal.write(`\r\n\x1b[33m${lines.join("\r\n")}\x1b[0m\r\n`);
  }
}

/** What an attribute lists. */
const words = (list: string | null) => list?.split(/\s+/).filter(Boolean);

/** A number that an attribute has. What is none is told as it is. */
const number = (text: string | null) => (text === null ? undefined : Number.isNaN(Number(text)) ? (text as unknown as number) : Number(text));

/** What a machine's end was, for people. */
function ended(end: End): string {
  const text = end.cause === "exit" ? `The session has ended with ${end.code}.` : `The machine has ended: ${end.cause}.`;
  return end.detail ? `${text}\n${end.detail}` : text;
}

declare global {
  interface HTMLElementTagNameMap {
    "alpine-vm": AlpineVMElement;
  }
}

customElements.define("alpine-vm", AlpineVMElement);
