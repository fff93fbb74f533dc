// The axes of the chart: what they span, and where their ticks are. Pure.

const TICKS_S = [1, 2, 5, 15, 30, 60, 120, 300];
// The noise of nothing must not look like a move: 0.02 mm is a hundred steps.
const LEAST_MM = 0.02;

// The points of a stretch of time, with one at each edge: between two of them the position was on the line, and the
// target was that of the first.
export function atEdge(points, fromS, toS, holds) {
  const inside = points.filter(([at]) => at >= fromS && at <= toS);
  const next = points.findIndex(([at]) => at > fromS);
  const before = points[next === -1 ? points.length - 1 : next - 1];
  const shown = [...inside];
  if (before && before[0] < fromS && (next !== -1 || holds)) {
    shown.unshift([fromS, onLine(before, points[next], fromS), before[2]]);
  }
  const last = inside[inside.length - 1] ?? before;
  const after = points.find(([at]) => at > toS);
  if (last && last[0] < toS && (after || holds)) shown.push([toS, onLine(last, after, toS), last[2]]);
  return shown;
}

function onLine([at, from], next, atS) {
  if (!next || from === null || next[1] === null) return from;
  return from + ((next[1] - from) * (atS - at)) / (next[0] - at);
}

// Lowest and highest of what is shown, with some air.
export function extent(points, rangeMm) {
  const values = points.flatMap(([, ...some]) => some).filter((value) => value !== null);
  if (!values.length) return [0, rangeMm || 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const missing = Math.max(0, LEAST_MM - (high - low)) / 2;
  const air = (high - low) * 0.08 + missing;
  return [low - air, high + air];
}

// Round numbers between two values, about so many.
export function valueTicks(low, high, about) {
  const rough = (high - low) / Math.max(2, about);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let count = Math.ceil(low / step); count * step <= high; count += 1) {
    const at = count * step;
    ticks.push({ at, label: (count === 0 ? 0 : at).toFixed(decimals).replace("-", "−") });
  }
  return ticks;
}

// Ages from the right edge to the left one, at most so many.
export function timeTicks(spanS, most) {
  const step = TICKS_S.find((size) => spanS / size <= Math.max(1, most)) ?? spanS;
  const ticks = [];
  for (let agoS = 0; agoS <= spanS; agoS += step) ticks.push(agoS);
  return ticks;
}

export function ageLabel(agoS) {
  if (agoS <= 0) return "now";
  if (agoS < 60) return `−${agoS} s`;
  return agoS % 60 ? `−${Math.floor(agoS / 60)}:${String(agoS % 60).padStart(2, "0")} min` : `−${agoS / 60} min`;
}
