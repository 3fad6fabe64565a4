/** A training's curves as SVG. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 120;
const MARGIN = 4;

/**
 * @param {import("./api.js").Stage} stage with at least two losses
 * @returns {HTMLElement} its losses on a logarithmic scale, and its mIoU on val from 0 to 1, where there is one
 */
export function curve({ name, losses, mious, epoch }) {
  const logs = losses.map((loss) => Math.log(Math.max(loss, 1e-6)));
  const picture = create("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  picture.append(line(logs, Math.min(...logs), Math.max(...logs), "loss"));
  if (mious.length > 1) picture.append(line(mious, 0, 1, "miou"));
  const text = [`${name}, epoch ${epoch}: loss ${losses.at(-1).toPrecision(3)}`];
  if (mious.length) text.push(`mIoU ${(100 * mious.at(-1)).toFixed(1)} %`);
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = text.join(" · ");
  picture.setAttribute("aria-label", caption.textContent);
  figure.append(picture, caption);
  return figure;
}

function line(values, low, high, kind) {
  const x = (index) => MARGIN + (index / (values.length - 1)) * (WIDTH - 2 * MARGIN);
  const y = (value) => HEIGHT - MARGIN - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return create("polyline", { points, class: kind });
}

function create(tag, attributes) {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  return created;
}
