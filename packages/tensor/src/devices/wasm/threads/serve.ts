// A worker's whole life: it takes its order, then obeys commands until it is ended. A command that fails in any thread ends
// for all of them.
import { beforeEnd, receiveOrder } from "./platform.ts";
import { type Order, type RunStep, Thread } from "./thread.ts";

export const serve = (run: RunStep): void =>
  receiveOrder((order, ready) => {
    const thread = new Thread(order as Order, run); // the pool sends nothing else
    beforeEnd(() => thread.control.ended());
    ready();
    for (;;) {
      const command = thread.control.next();
      try {
        thread.obey(command);
      } catch {
        // What stands in the control block tells the first thread.
        thread.control.left();
      }
    }
  });
