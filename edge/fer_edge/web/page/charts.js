// Draws: colours of expressions, bars, and the timeline. Everything that is shown is set as text or as a number.

export const SPAN_S = 300;
const SVG = "http://www.w3.org/2000/svg";
const KNOWN = new Set(["angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise", "uncertain"]);
const OTHERS = 4;

/** The colour of a label, the same everywhere; labels of foreign models get one by their place. */
export function hue(label, labels) {
  return KNOWN.has(label) ? `var(--${label})` : `var(--other-${Math.max(0, labels.indexOf(label)) % OTHERS})`;
}

/** An element with a class and a text. */
export function made(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Set a text only when it changes, so that it is not read aloud again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make `parent` have exactly `count` children, kept where they are. */
export function fit(parent, count, make) {
  while (parent.children.length < count) parent.append(make());
  while (parent.children.length > count) parent.lastElementChild.remove();
  return [...parent.children];
}

/** A row: name, bar with a faint and a full part, figure. */
export function makeRow() {
  const row = made("div", "row");
  const bar = made("div", "bar");
  bar.append(made("i", "faint"), made("i"));
  row.append(made("span"), bar, made("span"));
  return row;
}

/** Fill a row; shares are 0 to 1. */
export function fillRow(row, name, share, figure, faint = 0) {
  const [label, bar, value] = row.children;
  say(label, name);
  say(value, figure);
  bar.firstElementChild.style.transform = `scaleX(${clamp(faint)})`;
  bar.lastElementChild.style.transform = `scaleX(${clamp(share)})`;
}

function clamp(value) {
  return Math.min(1, Math.max(0, Number(value) || 0)).toFixed(4);
}

/** Stacked areas. points: [x from 0 (oldest) to `span`, shares or null], oldest first; shares of a point sum to <= 1. */
export function drawAreas(svg, points, labels, span, widest) {
  const runs = [];
  let run = [];
  let last = -Infinity;
  for (const [x, shares] of points) {
    if (!shares || x - last > widest) {
      if (run.length) runs.push(run);
      run = [];
    }
    if (shares) run.push([x, shares]);
    last = x;
  }
  if (run.length) runs.push(run);
  svg.setAttribute("viewBox", `0 0 ${span} 100`);
  const paths = fit(svg, labels.length, () => document.createElementNS(SVG, "path"));
  paths.forEach((path, index) => {
    path.setAttribute("d", runs.map((each) => area(each, index, widest)).join(""));
    path.style.fill = hue(labels[index], labels);
  });
}

/** The outline of one label in one run of points: along its upper edge, and back along its lower. */
function area(run, index, widest) {
  const upper = [];
  const lower = [];
  const points = run.length === 1 ? [run[0], [run[0][0] + widest / 2, run[0][1]]] : run;
  for (const [x, shares] of points) {
    let below = 0;
    for (let i = 0; i < index; i += 1) below += shares[i] || 0;
    lower.push([x, below]);
    upper.push([x, below + (shares[index] || 0)]);
  }
  const at = ([x, share]) => `${x.toFixed(1)} ${(100 - 100 * Math.min(1, share)).toFixed(2)}`;
  return `M${upper.map(at).join("L")}L${lower.reverse().map(at).join("L")}Z`;
}

/** Fill a list of terms: [term, text, tone]. */
export function terms(list, rows) {
  const found = rows.filter(([, text]) => text !== null && text !== undefined && text !== "");
  const cells = fit(list, 2 * found.length, () => made(list.children.length % 2 ? "dd" : "dt"));
  found.forEach(([term, text, tone], index) => {
    say(cells[2 * index], term);
    say(cells[2 * index + 1], String(text));
    cells[2 * index + 1].dataset.tone = tone || "";
  });
}
