// The parts of a machine's files, as its program asks for them. What a start is known to
// read is on its way before it is asked for, and so is what lies behind parts that are read
// one after the other.

/** How many parts are fetched at a time before they are asked for. */
const atOnce = 6;
/** How many parts are fetched behind two that were asked for one after the other. A single one may be read for a small file in it. */
const behind = 4;
/** How long a part may take, in milliseconds. */
const patience = 120_000;
/** How many parts wait to be asked for at most: 16 MiB, of small ones. */
const waiting = 64;

/** Where a part is in a file. */
interface Place {
  /** The one before it, if that has to be read first for those behind to be fetched. */
  before?: string;
  behind: string[];
}

function place(chunks: string[], i: number, large: boolean): Place {
  if (large) return { behind: chunks.slice(i + 1, i + 2) }; // of a file that is read from its beginning to its end
  return { before: chunks[i - 1] ?? "", behind: chunks.slice(i + 1, i + 1 + behind) };
}

export class Chunks {
  /** Parts that were not on their way when they were asked for, and bytes of all that was fetched. */
  readonly counts = { waits: 0, bytes: 0 };
  private readonly places = new Map<string, Place>();
  private readonly have = new Map<string, Promise<Uint8Array>>();
  private readonly listed = new Set<string>();
  private readonly asked = new Set<string>();

  constructor(private readonly site: string, files: unknown) {
    const walk = (v: unknown): void => {
      if (!v || typeof v !== "object") return;
      const { chunks, part } = v as { chunks?: string[]; part?: number };
      if (Array.isArray(chunks)) chunks.forEach((name, i) => this.places.set(name, place(chunks, i, !!part)));
      else Object.values(v).forEach(walk);
    };
    walk(files);
  }

  /** Fetches parts in this order, a few at a time. */
  async fetchAhead(names: string[]): Promise<void> {
    const rest = names.values();
    for (const name of names) this.listed.add(name);
    const one = async () => {
      for (const name of rest) {
        if (this.asked.has(name)) continue;
        await this.begin(name).catch(() => undefined); // whoever asks for it is told
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  private begin(name: string): Promise<Uint8Array> {
    const there = this.have.get(name);
    if (there) return there;
    const part = this.fetch(name);
    this.have.set(name, part);
    part.catch(() => this.have.delete(name));
    return part;
  }

  /** Fetches a part, and where it is asked for again past all copies that somebody keeps. */
  private async fetch(name: string, again = false): Promise<Uint8Array> {
    const url = `${this.site}chunks/${name}`;
    const slow = AbortSignal.timeout(patience);
    let response: Response;
    let data: Uint8Array;
    try {
      response = await fetch(url, { signal: slow, cache: again ? "reload" : "default" });
      data = new Uint8Array(await response.arrayBuffer());
    } catch {
      const why = slow.aborted ? `has not come in ${patience / 1000} s` : "cannot be had";
      throw new Error(`a part of a file, ${url}, ${why}: look whether the server still runs`);
    }
    if (response.status !== 200) throw new Error(`a part of a file, ${url}: the server says ${response.status}; the site is not whole, make it again`);
    this.counts.bytes += data.length;
    return data;
  }

  /** Gives a part, of which nothing is kept here; again: what was given is damaged. */
  get(name: string, again = false): Promise<Uint8Array> {
    if (again) return this.fetch(name, true);
    const there = this.have.get(name);
    if (!there) this.counts.waits++;
    this.asked.add(name);
    this.have.delete(name);
    for (const next of this.onward(name)) {
      if (this.asked.has(next) || this.listed.has(next)) continue;
      this.room();
      this.begin(next).catch(() => undefined);
    }
    return there ?? this.fetch(name);
  }

  /** The parts that are likely to be read behind one. */
  private onward(name: string): string[] {
    const p = this.places.get(name);
    return p && (p.before === undefined || this.asked.has(p.before)) ? p.behind : [];
  }

  /** Forgets what has waited for longest, but for what a start reads. */
  private room(): void {
    if (this.have.size < waiting) return;
    for (const name of this.have.keys())
      if (!this.listed.has(name)) {
        this.have.delete(name);
        return;
      }
  }
}
