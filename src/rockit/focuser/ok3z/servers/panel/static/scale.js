// The axes of the chart: what they span, and where their ticks are. Pure.

const SPANS_S = [60, 90, 120, 180, 240, 300, 420, 600];
const TICKS_S = [15, 30, 60, 120, 300];
// The noise of nothing must not look like a move: 0.02 mm is a hundred steps.
const LEAST_MM = 0.02;

// The shortest of a few spans that holds what is there.
export function timeSpan(ageS, longestS) {
  return SPANS_S.find((span) => span >= ageS && span <= longestS) ?? longestS;
}

// Lowest and highest of what is shown, with some air, and never beyond where the focuser can be.
export function extent(points, fromS, rangeMm) {
  let low = Infinity;
  let high = -Infinity;
  points.forEach(([at, ...values], index) => {
    const next = points[index + 1];
    // The last point before the edge still holds at the edge.
    if (at < fromS && next && next[0] < fromS) return;
    for (const value of values) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  });
  if (low > high) return [0, rangeMm || 1];
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

// Ages from now to the left edge, at most so many.
export function timeTicks(spanS, most) {
  const step = TICKS_S.find((size) => spanS / size <= Math.max(1, most)) ?? spanS;
  const ticks = [];
  for (let agoS = 0; agoS <= spanS; agoS += step) ticks.push({ agoS, label: ageLabel(agoS) });
  return ticks;
}

function ageLabel(agoS) {
  if (agoS === 0) return "now";
  return agoS % 60 ? `−${agoS} s` : `−${agoS / 60} min`;
}
