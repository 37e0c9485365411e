// Worker threads on either platform: Node's `worker_threads`, else the web's `Worker`. Typed here by what is used, because
// packages that run anywhere declare neither.

/** A started thread. */
export interface WorkerHandle {
  /** Resolves when the thread is ready for commands. @throws what kept it from starting. */
  readonly ready: Promise<void>;
  /** Called if it ends or fails later on. */
  onLoss: ((reason: string) => void) | undefined;
  terminate(): Promise<void>;
}
interface NodeWorker {
  postMessage(message: unknown): void;
  on(event: "message" | "error" | "exit", listener: (value: unknown) => void): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
}
interface NodePort {
  postMessage(message: unknown): void;
  once(event: "message", listener: (message: unknown) => void): void;
}
interface NodeThreads {
  readonly Worker: new (url: URL, options: { readonly execArgv: readonly string[] }) => NodeWorker;
  readonly parentPort: NodePort | null;
}
interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
}
interface Process {
  readonly features?: { readonly typescript?: unknown };
  getBuiltinModule?(name: "node:worker_threads"): NodeThreads;
  once?(event: "exit", listener: () => void): void;
}
// A free name, not a local one: bundlers look for `new Worker(new URL(...))`.
declare const Worker: new (url: URL, options: { readonly type: "module" }) => WebWorker;

const scope = globalThis as unknown as {
  readonly process?: Process;
  readonly Worker?: unknown;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
};
const nodeThreads = scope.process?.getBuiltinModule?.("node:worker_threads");

/** Why this place can have no worker threads, or undefined if it can. */
export function workersMissing(program = programUrl()): string | undefined {
  if (!("SharedArrayBuffer" in globalThis)) return "memory can be shared only in a page that is cross-origin isolated";
  if (!canSleep()) return "the main thread of a page cannot wait: run the engine in a worker";
  if (!nodeThreads && !scope.Worker) return "there are no workers here";
  if (nodeThreads && !program) return "worker threads run the compiled program, not its TypeScript sources";
  return undefined;
}
/** Whether Atomics.wait may be called; the word differs from 1, so it returns at once. */
function canSleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
/** The worker's program, if Node can run it: later versions take TypeScript as it is. */
function programUrl(): URL | undefined {
  const isSource = import.meta.url.endsWith(".ts");
  if (isSource && !scope.process?.features?.typescript) return undefined;
  // Not written out as an address, or bundlers for the web would pack the program a second time.
  const name = isSource ? "worker.ts" : "worker.js";
  return new URL(name, import.meta.url);
}

/** Starts a thread and gives it its order. It never keeps a process alive once it is ready. */
export function startWorker(order: unknown, program = programUrl()): WorkerHandle {
  return nodeThreads
    ? startNode(new nodeThreads.Worker(program!, { execArgv: [] }), order)
    : startWeb(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }), order);
}
function startNode(worker: NodeWorker, order: unknown): WorkerHandle {
  const handle = makeHandle((ready, lost) => {
    worker.on("message", () => {
      worker.unref();
      ready();
    });
    worker.on("error", (error) => lost(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => lost(`it ended with code ${code}`));
    return async () => {
      await worker.terminate();
    };
  });
  worker.postMessage(order);
  return handle;
}
function startWeb(worker: WebWorker, order: unknown): WorkerHandle {
  const handle = makeHandle((ready, lost) => {
    worker.onmessage = ready;
    worker.onerror = ({ message = "its program could not be loaded" }) => lost(message);
    return async () => worker.terminate();
  });
  worker.postMessage(order);
  return handle;
}
function makeHandle(listen: (ready: () => void, lost: (reason: string) => void) => () => Promise<void>): WorkerHandle {
  let settle!: { ready: () => void; failed: (error: Error) => void };
  const ready = new Promise<void>((resolve, reject) => {
    settle = { ready: resolve, failed: reject };
  });
  const terminate = listen(
    () => settle.ready(),
    (reason) => {
      settle.failed(new Error(reason));
      handle.onLoss?.(reason);
    },
  );
  const handle: WorkerHandle = { ready, onLoss: undefined, terminate };
  return handle;
}

/** In a worker: takes the order, then says that it is ready. */
export function receiveOrder(take: (order: unknown, ready: () => void) => void): void {
  const port = nodeThreads?.parentPort;
  if (port) port.once("message", (order) => take(order, () => port.postMessage("ready")));
  else
    scope.onmessage = ({ data }) => {
      scope.onmessage = null;
      take(data, () => scope.postMessage("ready"));
    };
}

/** In a worker: calls `act` when it ends by itself, where the platform tells; being ended from outside or out of memory is not told. */
export function beforeEnd(act: () => void): void {
  if (nodeThreads) scope.process?.once?.("exit", act);
}
