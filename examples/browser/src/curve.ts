// The loss by step, as a drawing that grows.

/** The drawing's size and margins, in its own units: see index.html. */
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 260, 44, 34, 12];
const NAMESPACE = "http://www.w3.org/2000/svg";
/** How much of the smooth line stays at every step. */
const SMOOTH = 0.9;

type Attributes = Readonly<Record<string, string | number>>;
function shape(svg: SVGElement, name: string, attributes: Attributes, text = ""): SVGElement {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  svg.append(element);
  return element;
}

/** An empty drawing for so many steps and losses up to `most`; gives what adds a loss. */
export function drawCurve(svg: SVGElement, { steps, most }: { readonly steps: number; readonly most: number }) {
  svg.replaceChildren();
  const x = (step: number) => LEFT + ((WIDTH - LEFT - 12) * step) / steps;
  const y = (loss: number) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * Math.min(loss, most)) / most;
  for (let loss = 0; loss <= most; loss++) {
    shape(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - 12, y1: y(loss), y2: y(loss) });
    shape(svg, "text", { x: LEFT - 8, y: y(loss) + 5, "text-anchor": "end" }, String(loss));
  }
  for (let i = 0; i <= 4; i++) {
    const step = Math.round((steps * i) / 4);
    shape(svg, "text", { x: x(step), y: HEIGHT - 10, "text-anchor": i === 4 ? "end" : "middle" }, String(step));
  }
  shape(svg, "text", { x: WIDTH - 12, y: TOP + 14, "text-anchor": "end" }, "loss by step");
  const lines = { each: shape(svg, "path", { class: "each" }), smooth: shape(svg, "path", { class: "smooth" }) };
  const paths = { each: "", smooth: "" };
  let smooth: number | undefined;
  return (step: number, loss: number): void => {
    smooth = smooth === undefined ? loss : SMOOTH * smooth + (1 - SMOOTH) * loss;
    for (const [name, value] of Object.entries({ each: loss, smooth }) as ["each" | "smooth", number][]) {
      paths[name] += `${paths[name] ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
      lines[name].setAttribute("d", paths[name]);
    }
  };
}
