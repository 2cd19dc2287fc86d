// The messages between a page and the worker that runs its machine. The program in
// the worker, cmd/alpinevm-web, has the same.

export interface Size {
  cols: number;
  rows: number;
}

/** The translator makes WebAssembly of what is executed often. */
export type Engine = "interpreter" | "translator" | "translator-strict";

/** The address of a relay that speaks the Wisp protocol (ws:, wss:), "fetch" for the browser's fetch, or "none", which null is too. */
export type Network = string | null;

/** What a worker is told first. */
export interface StartMessage {
  type: "start";
  /** Where the machine's files are; it ends in a slash. */
  site: string;
  /** Where the program is. */
  program: string;
  /** MiB; what the site says if it is missing. */
  memory?: number;
  terminal?: Size;
  /** What the machine is kept under; it is not if it is missing. */
  name?: string;
  /** What executes the guest's instructions; the translator if it is missing. */
  engine?: Engine;
  /** What the guest reaches others by; what the site says if it is missing. */
  network?: Network;
  /** For the network "fetch"; what the site says where they are missing. */
  mirrors?: string[];
  https?: string[];
  /** What to go on from: an address or a file; null for a boot; what the site has if it is missing. */
  snapshot?: string | Blob | null;
  /** An archive to keep under the name, in the place of running anything. */
  archive?: Blob;
}

/** What a page tells a machine. Those with an id are answered by a result with it. */
export type ToMachine =
  | { type: "input"; data: Uint8Array }
  | ({ type: "resize" } & Size)
  | { type: "pause" | "resume" | "shutdown" }
  | { type: "exec"; id: number; args: string[]; env?: string[]; dir?: string; user?: string; stdin?: boolean; terminal?: Size }
  | { type: "stdin"; id: number; data?: Uint8Array }
  | { type: "signal"; id: number; number: number }
  | ({ type: "execResize"; id: number } & Size)
  | { type: "export" | "snapshot"; id: number }
  | { type: "fetch"; id: number; port: number; method: string; path: string; headers: [string, string][]; stdin: boolean }
  | { type: "cancel"; id: number }
  | { type: "readFile" | "readDir" | "mkdir" | "remove" | "stat"; id: number; name: string }
  | { type: "writeFile"; id: number; name: string; data: Uint8Array };

/** How a machine does, over the last second or so. */
export interface Stat {
  instructions: number;
  /** Seconds of it in which the guest had nothing to do. */
  idle: number;
  seconds: number;
  /** Instructions since the start. */
  total: number;
  /** Bytes of memory that the guest has, and that the program takes in the tab, the guest's among them. */
  memory: number;
  taken: number;
  /** Parts of files, of 256 KiB, that were not on their way when they were needed, since the start. */
  waits: number;
  /** Bytes of parts of files that were fetched, compressed, since the start. */
  fetched: number;
}

/** What the guest reaches others by, and what has become of it. */
export interface NetworkState {
  way: "relay" | "fetch" | "none";
  /** Whether the relay is there, once the guest has tried. */
  relay?: "connected" | "lost";
  /** Why it is not, in a sentence. */
  why?: string;
}

/** Whether what the guest changes is kept in the browser. */
export interface KeptState {
  name: string;
  kept: boolean;
  /** Why it is not, in a sentence. */
  why?: string;
}

/** How a machine has ended. */
export interface End {
  cause: string;
  code: number;
  detail: string;
}

/** What a machine tells its page. */
export type FromMachine =
  | { type: "phase"; text: string }
  | { type: "progress"; done: number; total: number }
  | { type: "output"; data: Uint8Array }
  | { type: "stdout" | "stderr"; id: number; data: Uint8Array }
  | { type: "head"; id: number; status: number; text: string; headers: [string, string][] }
  | { type: "result"; id: number; value?: unknown; error?: string }
  | ({ type: "stat" } & Stat)
  | ({ type: "network" } & NetworkState)
  | ({ type: "kept" } & KeptState)
  | { type: "notice"; text: string }
  | { type: "imported" }
  | ({ type: "exit" } & End)
  | { type: "error"; text: string };

/** A file or folder of the guest. */
export interface Entry {
  name: string;
  dir: boolean;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}
