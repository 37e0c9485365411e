// A worker's whole life: it takes its order, then obeys commands until it is ended or a thread fails.
import { receiveOrder } from "./platform.ts";
import { type Order, type RunStep, Thread } from "./thread.ts";

export const serve = (run: RunStep): void =>
  receiveOrder((order, ready) => {
    const thread = new Thread(order as Order, run); // the pool sends nothing else
    ready();
    try {
      for (;;) thread.obey(thread.control.next());
    } catch (error) {
      // What stands in the control block tells the first thread, which ends this one.
      if (!thread.control.failure) throw error;
    }
  });
