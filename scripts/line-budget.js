// The line budget: no source file over 400 lines, and the size of every package, printed at each check.
// Tests, cases and generated files are counted apart and not limited.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const LIMIT = 400;
/** Lines a package's sources may grow to before someone thinks again. */
const BUDGET = { tensor: 18700, autograd: 2500, orepa: 4000, yolo: 8000, cli: 5500 };

const files = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith(".ts") ? [path] : [];
  });
const lines = (path) => readFileSync(path, "utf8").split("\n").length - 1;
const isTest = (path) => /\.test\.ts$|\.cases\.ts$|[/\\]testing[/\\]/.test(path);

let failed = false;
const all = [];
for (const [name, budget] of Object.entries(BUDGET)) {
  const found = files(`packages/${name}/src`).map((path) => ({ path, lines: lines(path), test: isTest(path) }));
  const sum = (test) => found.filter((f) => f.test === test).reduce((n, f) => n + f.lines, 0);
  const source = sum(false);
  console.log(`${name.padEnd(9)} ${String(source).padStart(5)} of ${budget} lines, tests ${sum(true)}`);
  if (source > budget) {
    failed = true;
    console.error(`line budget: expected at most ${budget} lines in packages/${name}/src, got ${source}`);
  }
  all.push(...found.filter((f) => !f.test));
}
all.sort((a, b) => b.lines - a.lines);
console.log(
  "longest:",
  all
    .slice(0, 3)
    .map((f) => `${f.path} ${f.lines}`)
    .join(", "),
);
for (const f of all)
  if (f.lines > LIMIT) {
    failed = true;
    console.error(`line budget: expected at most ${LIMIT} lines, got ${f.lines} in ${f.path} (split it by idea)`);
  }
if (failed) process.exit(1);
