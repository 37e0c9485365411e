// The page: which devices there are, and what to do on one of them: train, check gradients, merge, check primitives.
import { type DeviceName, deviceNames, Generator, gpuStatus } from "@orepa/tensor";
import { check } from "./check.ts";
import { drawCurve } from "./curve.ts";
import { type Digits, drawDigits, SIDE } from "./digits.ts";
import { checkGradients, type Slope, TOLERANCE } from "./gradients.ts";
import { merge } from "./merge.ts";
import { newNet } from "./net.ts";
import { classes, logits, STEPS, train } from "./train.ts";

const element = <E extends Element = HTMLElement>(id: string): E => document.getElementById(id) as unknown as E; // index.html has them
const buttons = ["train", "stop", "gradients", "merge", "check"] as const;
const button = (id: (typeof buttons)[number]): HTMLButtonElement => element(id);
/** Lets the page draw. */
const drawn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const say = (id: string, text: string, kind: "good" | "bad" | "" = ""): void => {
  const output = element(id);
  output.textContent = text;
  output.className = kind;
};

let net = newNet();
let isTrained = false;
let device: DeviceName = "wasm";
let isStopped = false;

/** Does one thing at a time, and says in `result` what went wrong. */
const act = (id: (typeof buttons)[number], work: () => Promise<void>): void =>
  button(id).addEventListener("click", async () => {
    for (const other of buttons) button(other).disabled = other !== "stop" || id !== "train";
    document.body.setAttribute("data-busy", id);
    try {
      await work();
    } catch (error) {
      say(`${id}-result`, String(error), "bad");
    }
    for (const other of buttons)
      button(other).disabled = other === "stop" || ((other === "gradients" || other === "merge") && !isTrained);
    document.body.removeAttribute("data-busy");
  });

const SHOWN = 20;
const fresh: Digits = drawDigits(SHOWN, new Generator("digits to show"));

act("train", async () => {
  [net, isStopped, isTrained] = [newNet(), false, false];
  for (const id of ["gradients", "merge"]) {
    say(`${id}-result`, "");
    element(`${id}-table`).replaceChildren();
  }
  showDigits();
  say("train-result", `Compiling for ${device} ...`);
  const add = drawCurve(element("curve"), { steps: STEPS, most: 3 });
  let [first, last, count, start] = [0, 0, 0, 0];
  await train(net, device, {
    onStep: async (step, loss) => {
      if (step === 1) [first, start] = [loss, performance.now()];
      [last, count] = [loss, step];
      add(step, loss);
      say("train-result", `Step ${step} of ${STEPS}: loss ${loss.toFixed(3)}`);
      await drawn();
      return !isStopped;
    },
  });
  const ms = (performance.now() - start) / Math.max(1, count - 1);
  isTrained = true;
  const right = await showDigits(device);
  Object.assign(element("train-result").dataset, { first, last, steps: count });
  say(
    "train-result",
    `Loss ${first.toFixed(2)} → ${last.toFixed(3)} in ${count} steps of ${ms.toFixed(1)} ms on ${device}; ` +
      `reads ${right} of ${SHOWN} new digits.`,
    last < first ? "good" : "bad",
  );
});
button("stop").addEventListener("click", () => {
  isStopped = true;
});

act("gradients", async () => {
  const slopes: Slope[] = [];
  say("gradients-result", "Differentiating ...");
  await checkGradients(net, device, async (slope) => {
    slopes.push(slope);
    say("gradients-result", `${slopes.length} parameters ...`);
    await drawn();
  });
  const agree = slopes.filter(({ deviation }) => deviation <= TOLERANCE).length;
  const worst = Math.max(...slopes.map(({ deviation }) => deviation));
  Object.assign(element("gradients-result").dataset, { agree, total: slopes.length, worst });
  const isGood = agree === slopes.length;
  say(
    "gradients-result",
    `${agree} of ${slopes.length} parameters agree; the largest deviation is ${worst.toExponential(1)} of a gradient.`,
    isGood ? "good" : "bad",
  );
  table(
    "gradients-table",
    ["parameter", "device", "differences", "off by"],
    [
      ...slopes.map((s) => [
        s.parameter.replace("weight_orepa_", ""),
        s.device.toPrecision(4),
        s.differences.toPrecision(4),
        s.deviation.toExponential(0),
      ]),
    ],
  );
});

act("merge", async () => {
  say("merge-result", "Merging ...");
  await drawn();
  const { parameters, flops, time, deviation, same, pictures } = await merge(net, device);
  Object.assign(element("merge-result").dataset, { deviation, same, pictures });
  say(
    "merge-result",
    `The output is unchanged: ${same} of ${pictures} digits read the same, logits within ${deviation.toExponential(1)} of the largest.`,
    deviation < TOLERANCE && same === pictures ? "good" : "bad",
  );
  const count = (n: number) => n.toLocaleString("en");
  table(
    "merge-table",
    ["", "trained", "merged"],
    [
      ["parameters", count(parameters.before), count(parameters.after)],
      ["operations a picture", count(flops.before), count(flops.after)],
      [`ms for ${pictures} pictures`, time.before.toFixed(2), time.after.toFixed(2)],
    ],
  );
});

act("check", async () => {
  const progress = element<HTMLProgressElement>("check-progress");
  progress.hidden = false;
  say("check-result", `Checking ${device} ...`);
  const { passed, failures } = await check(device, async (part) => {
    progress.value = part;
    await drawn();
  });
  progress.hidden = true;
  Object.assign(element("check-result").dataset, { passed, failed: failures.length });
  say(
    "check-result",
    failures.length ? failures.join("; ") : `All ${passed} cases agree on ${device}.`,
    failures.length ? "bad" : "good",
  );
});

function table(id: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const row = (cells: readonly string[], kind: "th" | "td") => {
    const line = document.createElement("tr");
    for (const text of cells) line.appendChild(document.createElement(kind)).textContent = text;
    return line;
  };
  element(id).replaceChildren(row(head, "th"), ...rows.map((cells) => row(cells, "td")));
}

/** Digits that the network has not seen, and what it takes them for. Gives how many it reads right. */
async function showDigits(on?: DeviceName): Promise<number> {
  const { pictures, labels } = fresh;
  const taken = on && classes(await logits(net, pictures, on));
  const ink = pictures.toTypedArray();
  const cells = labels.map((label, i) => {
    const cell = document.createElement("div");
    const canvas = cell.appendChild(document.createElement("canvas"));
    canvas.width = canvas.height = SIDE;
    const context = canvas.getContext("2d")!; // nothing else asked for another kind
    const image = context.createImageData(SIDE, SIDE);
    for (let k = 0; k < SIDE ** 2; k++) image.data.fill(255 * ink[i * SIDE ** 2 + k]!, 4 * k, 4 * k + 3);
    for (let k = 0; k < SIDE ** 2; k++) image.data[4 * k + 3] = 255;
    context.putImageData(image, 0, 0);
    cell.append(taken ? String(taken[i]) : "?");
    if (taken) cell.className = taken[i] === label ? "good" : "bad";
    return cell;
  });
  element("digits").replaceChildren(...cells);
  return taken ? labels.filter((label, i) => taken[i] === label).length : 0;
}

/** Of devices that are not found by asking. */
const known: Partial<Record<DeviceName, string>> = {
  cpu: "plain loops, the reference",
  wasm: "WebAssembly with SIMD, compiled for each program",
};
for (const name of deviceNames) {
  if (name === "gpu" || name === "gpu:headlessgl" || name === "gpu:cpu") continue; // the best of the others, Node's, slower than cpu
  const label = element("devices").appendChild(document.createElement("label"));
  label.className = "device";
  const radio = label.appendChild(document.createElement("input"));
  Object.assign(radio, { type: "radio", name: "device", value: name, checked: name === device });
  radio.addEventListener("change", () => {
    device = name;
  });
  label.appendChild(document.createElement("strong")).textContent = name;
  const about = label.appendChild(document.createElement("small"));
  about.textContent = known[name] ?? "looking ...";
  if (name === "cpu" || name === "wasm") continue;
  radio.disabled = true;
  void gpuStatus(name).then((status) => {
    radio.disabled = !status.works;
    about.textContent =
      status.works || status.fix === undefined ? status.about : `${status.about}. It needs ${status.fix}.`;
    label.setAttribute("data-works", String(status.works));
  });
}
drawCurve(element("curve"), { steps: STEPS, most: 3 });
void showDigits();
