// A small line plot as SVG: axes, a line at zero, lines and areas; drawn again when its width changes.
import { draw, make, put } from "../dom.js";

const MARGIN = { left: 44, right: 10, top: 10, bottom: 24 };

/** A plot of `series` [{x, y, class}] and `areas` [{x, low, high, class}]; `label` is what a screen reader says. */
export function plot({ series, areas = [], xText, yText = (value) => String(value), label, low = false }) {
  const box = make("div", { class: low ? "plot low" : "plot", role: "img", "aria-label": label });
  const paint = () => {
    if (box.clientWidth > 60) put(box, picture(box.clientWidth, box.clientHeight, { series, areas, xText, yText }));
  };
  new ResizeObserver(paint).observe(box);
  return box;
}

function picture(width, height, { series, areas, xText, yText }) {
  const [xs, ys] = [[...series.flatMap((one) => one.x), ...areas.flatMap((one) => one.x)],
    [0, ...series.flatMap((one) => one.y), ...areas.flatMap((one) => [...one.low, ...one.high])].filter((value) => value !== null)];
  const [left, right, low, high] = [least(xs), most(xs), least(ys), most(ys)];
  const x = (value) => MARGIN.left + ((value - left) / (right - left || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low || 1)) * (height - MARGIN.top - MARGIN.bottom);
  const ticks = steps(low, high, Math.max(3, Math.floor(height / 40)));
  const marks = spread(left, right, Math.max(2, Math.floor(width / 130)));
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ticks.map((value) => [draw("line", { class: value === 0 ? "zero" : "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
      draw("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, yText(value))]).flat(),
    marks.map((value, index) => draw("text", { x: x(value), y: height - 6,
      "text-anchor": index === 0 ? "start" : index === marks.length - 1 ? "end" : "middle" }, xText(value))),
    areas.map((one) => draw("path", { class: one.class, d: `${path(one.x, one.high, x, y)} L${one.x.map((at, i) => `${x(at)} ${y(one.low[i])}`).reverse().join(" L")} Z` })),
    series.map((one) => draw("path", { class: `line ${one.class}`, d: path(one.x, one.y, x, y) })));
}

/** Points joined by lines; where a value is null the line is broken. */
function path(xs, ys, x, y) {
  let pen = "M";
  return xs.map((at, index) => {
    if (ys[index] === null) {
      pen = "M";
      return "";
    }
    const part = `${pen}${x(at).toFixed(1)} ${y(ys[index]).toFixed(1)}`;
    pen = "L";
    return part;
  }).join("");
}

export const least = (values) => values.reduce((one, other) => (other < one ? other : one), Infinity);
export const most = (values) => values.reduce((one, other) => (other > one ? other : one), -Infinity);

function steps(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1000; at += step) found.push(Number(at.toFixed(6)));
  return found;
}

const spread = (left, right, count) => Array.from({ length: count }, (_, index) => left + ((right - left) * index) / (count - 1));

/** The names of lines beside a stroke of theirs. */
export function keys(names) {
  return make("ul", { class: "key-list" }, names.map(([name, style]) => make("li", {},
    draw("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" }, draw("path", { class: `line ${style}`, d: "M0 4H22" })), ` ${name}`)));
}
