// Progress lines on a terminal and elsewhere.
import { expect, test } from "vitest";
import { bar, clock, epochColumns, progressLine, TRAIN_HEADER } from "./progress.ts";
import { captureIo } from "./testing.ts";

test("the bar says share, count, time, time left and rate", () => {
  expect(bar(4, 10, 2)).toBe(" 40%|####      | 4/10 [00:02<00:03, 2.00it/s]");
  expect(bar(1, 4, 2)).toBe(" 25%|###       | 1/4 [00:02<00:06, 2.00s/it]");
  expect(bar(0, 4, 0)).toBe("  0%|          | 0/4 [00:00<?, ?it/s]");
  expect(clock(3725)).toBe("1:02:05");
});

test("the columns of an epoch stand below their headings", () => {
  const state = { epoch: 1, epochs: 100, items: [5.8234, 3.897, 3.557], instances: 11, imgsz: 640 } as const;
  const row = epochColumns({ ...state, memory: 346.2 * 2 ** 20 });
  expect(row).toBe("      1/100       347M      5.823      3.897      3.557         11        640");
  expect(row.length).toBe(TRAIN_HEADER.length);
  expect(epochColumns({ ...state, memory: null })).toContain("1/100          -");
});

test("on a terminal the line is drawn over, elsewhere one line stays", () => {
  const terminal = captureIo({ isTerminal: true });
  const drawn = progressLine(terminal);
  drawn.update("a", 1, 2);
  drawn.finish("done");
  expect(terminal.output()).toMatch(/^\ra:.*\rdone *\n$/);

  const file = captureIo();
  const plain = progressLine(file);
  plain.update("a", 1, 2);
  plain.finish("done");
  expect(file.output()).toBe("done\n");
});
