// The page: a line per device, and two things to do on one of them. `?device=gpu:webgpu&do=check` does it at once.
import { type DeviceName, deviceNames, gpuStatus } from "@orepa/tensor";
import { check } from "./check.ts";
import { train } from "./train.ts";

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E; // index.html has them
const select = element<HTMLSelectElement>("device");
const log = (text: string): void => {
  element("log").append(`${text}\n`);
  console.log(text);
};

const actions = { check, train };
type Action = keyof typeof actions;

async function act(action: Action): Promise<void> {
  const device = select.value as DeviceName; // its options are these
  log(`${action} on ${device}`);
  try {
    await actions[action](device, log);
  } catch (error) {
    log(String(error));
  }
  log("done");
}

for (const name of deviceNames) {
  select.append(new Option(name));
  const item = element("devices").appendChild(document.createElement("li"));
  item.textContent = name;
  if (name === "cpu" || name === "wasm") continue;
  const { works, about, fix } = await gpuStatus(name);
  item.textContent = `${name}: ${works ? "works" : "absent"}, ${about}${fix === undefined ? "" : ` (to have it: ${fix})`}`;
}
for (const action of Object.keys(actions) as Action[])
  element(action).addEventListener("click", () => void act(action));

const asked = new URLSearchParams(location.search);
select.value = asked.get("device") ?? "wasm";
const action = asked.get("do");
if (action !== null && action in actions) await act(action as Action);
