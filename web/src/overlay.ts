// What lies over the terminal while there is nothing in it: how far the start is, or
// what has gone wrong and what to do.
import type { Progress } from "./alpinevm";

const mebibytes = (n: number) => (n / (1 << 20)).toFixed(1);

export class Overlay {
  private readonly box: HTMLElement;
  private readonly text: HTMLElement;
  private readonly bar: HTMLProgressElement;
  private readonly again: HTMLButtonElement;
  private retry?: () => void;

  constructor(root: ShadowRoot) {
    this.box = document.createElement("div");
    this.box.className = "overlay";
    this.box.setAttribute("role", "status");
    this.box.innerHTML = `<p></p><progress></progress><button type="button">Start again</button>`;
    this.text = this.box.querySelector("p")!;
    this.bar = this.box.querySelector("progress")!;
    this.again = this.box.querySelector("button")!;
    this.again.onclick = () => this.retry?.();
    root.append(this.box);
    this.hide();
  }

  hide(): void {
    this.box.hidden = true;
  }

  progress(p: Progress): void {
    this.box.hidden = false;
    this.again.hidden = true;
    this.bar.hidden = false;
    const known = p.total && p.done! <= p.total;
    this.text.textContent = `${p.phase}${p.done ? `: ${mebibytes(p.done)}${known ? ` of ${mebibytes(p.total!)}` : ""} MiB` : ""}`;
    if (known) {
      this.bar.max = p.total!;
      this.bar.value = p.done!;
    } else this.bar.removeAttribute("value");
  }

  fail(text: string, retry: () => void): void {
    this.box.hidden = false;
    this.bar.hidden = true;
    this.again.hidden = false;
    this.text.textContent = text;
    this.retry = retry;
  }
}
