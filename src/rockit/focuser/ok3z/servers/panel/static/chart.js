// Position over the last minutes, drawn by uPlot: a line, the target dashed, and hatching where nothing is known.
// Under the pointer it says what was; a stretch that is dragged over is looked at closer.

import { ageLabel, atEdge, extent, timeTicks, valueTicks } from "./scale.js";
import { millimetres } from "./values.js";

const MOST_POINTS = 8000;
// Between two drawings for those who asked their system for less motion.
const CALM_MS = 1000;
const FONT = "12px system-ui, sans-serif";

export class Chart {
  // place: the element that it fills. spans: the buttons that say how many seconds are shown.
  constructor(place, spans) {
    this.place = place;
    this.spans = [...spans];
    this.points = [];
    this.rangeMm = 0;
    this.live = false;
    // What is shown: so many seconds until now, the shortest that holds all until somebody chooses; or a stretch that
    // was dragged over.
    this.spanS = null;
    this.stretch = null;
    // The daemon's clock minus this page's.
    this.clockAheadS = null;
    this.drawnAt = -Infinity;
    this.planned = null;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.readColours();
    this.plot = new uPlot(this.options(), [[], [], []], place);
    for (const button of this.spans) button.addEventListener("click", () => this.show(Number(button.dataset.span)));
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(place);
    setInterval(() => this.plan(), CALM_MS);
  }

  about({ history_s, range_mm }) {
    this.rangeMm = range_mm;
    this.historyS = history_s;
  }

  // What the daemon kept, oldest first: [seconds, mm or null, target or null].
  begin(points) {
    this.points = points;
    this.clockAheadS = null;
    this.plan();
  }

  add({ t, position_mm, target_mm }) {
    this.clockAheadS = t - performance.now() / 1000;
    const last = this.points[this.points.length - 1];
    const before = this.points[this.points.length - 2];
    const same = (one, other) => one && other && one[1] === other[1] && one[2] === other[2];
    const point = [t, position_mm, target_mm];
    // A stay is two points, however long it is.
    if (same(last, point) && same(before, last)) last[0] = t;
    else if (!last || t > last[0]) this.points.push(point);
    const oldest = t - this.historyS;
    while (this.points.length > MOST_POINTS || (this.points.length > 1 && this.points[1][0] < oldest)) {
      this.points.shift();
    }
    this.plan();
  }

  link({ live }) {
    this.live = live;
    this.plan();
  }

  show(spanS) {
    this.spanS = spanS;
    this.stretch = null;
    this.draw();
  }

  recolour() {
    this.readColours();
    this.draw();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ink", "dim", "grid", "line", "target", "hatch"];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  plan() {
    if (this.planned) return;
    const since = performance.now() - this.drawnAt;
    const wait = this.calm.matches ? Math.max(0, CALM_MS - since) : 0;
    const planned = (this.planned = {});
    // Unless it was drawn meanwhile.
    setTimeout(() => requestAnimationFrame(() => planned === this.planned && this.draw()), wait);
  }

  draw() {
    this.planned = null;
    this.drawnAt = performance.now();
    if (!this.points.length) return;
    const [fromS, toS] = this.window();
    for (const button of this.spans) {
      const pressed = !this.stretch && Number(button.dataset.span) === Math.round(toS - fromS);
      button.setAttribute("aria-pressed", String(pressed));
    }
    // A point at each edge: what lies between two points was as the line says.
    const shown = atEdge(this.points, fromS, toS, this.live);
    this.extent = extent(shown, this.rangeMm);
    this.plot.batch(() => {
      this.plot.setData([0, 1, 2].map((column) => shown.map((point) => point[column])), false);
      // First, for it means the scale that was.
      this.plot.redraw();
      this.plot.setScale("x", { min: fromS, max: toS });
      this.plot.setScale("y", { min: this.extent[0], max: this.extent[1] });
    });
    if (this.plot.cursor.idx == null) this.plot.setLegend({ idx: null }, false);
    this.describe(fromS, toS);
  }

  nowS() {
    const last = this.points[this.points.length - 1];
    return this.clockAheadS === null ? last[0] : Math.max(last[0], this.drawnAt / 1000 + this.clockAheadS);
  }

  window() {
    if (this.stretch) return this.stretch;
    const now = this.nowS();
    const choice = this.spans.map((button) => Number(button.dataset.span));
    const ageS = now - this.points[0][0];
    const spanS = this.spanS ?? choice.find((some) => some >= ageS) ?? choice[choice.length - 1];
    return [now - spanS, now];
  }

  size() {
    // The legend stands below the drawing, in the same element.
    return { width: Math.max(80, this.place.clientWidth), height: Math.max(80, this.place.clientHeight - 28) };
  }

  options() {
    const axis = { font: FONT, stroke: () => this.colours.dim, ticks: { show: false } };
    const grid = { stroke: () => this.colours.grid, width: 1 };
    // By name, for what is no canvas: night mode changes what the name means.
    const colour = (_, column) => ["", "var(--line)", "var(--target)"][column];
    // What is under the pointer; with none, what is now.
    const reading = (plot, value, column) => {
      const here = plot.cursor.idx == null ? this.points[this.points.length - 1]?.[column] : value;
      return here == null ? "–" : `${millimetres(here)} mm`;
    };
    return {
      ...this.size(),
      padding: [10, 14, 0, 0],
      scales: { x: { time: false, auto: false }, y: { auto: false } },
      axes: [
        {
          ...axis,
          grid,
          size: 24,
          gap: 4,
          splits: (plot, _, min, max) => timeTicks(max - min, plot.width / 90).map((agoS) => max - agoS).reverse(),
          values: (_, splits) => splits.map((s) => ageLabel(Math.round(this.nowS() - s))),
        },
        {
          ...axis,
          grid,
          size: 56,
          gap: 8,
          splits: (plot, _, min, max) => valueTicks(min, max, plot.height / 44).map(({ at }) => at),
          values: (plot) => valueTicks(plot.scales.y.min, plot.scales.y.max, plot.height / 44).map(({ label }) => label),
        },
      ],
      series: [
        { label: "When", value: (_, s) => (s == null ? "now" : ageLabel(Math.round(this.nowS() - s))) },
        { label: "position", stroke: () => this.colours.line, width: 2.25, points: { show: false }, value: reading },
        {
          label: "target",
          stroke: () => this.colours.target,
          width: 1.5,
          dash: [2, 4],
          // It is there from one moment to the next; a position is not.
          paths: uPlot.paths.stepped({ align: 1 }),
          points: { show: false },
          value: reading,
        },
      ],
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7, width: 0, stroke: colour, fill: colour } },
      legend: { live: true, markers: { show: false, stroke: colour, fill: colour } },
      hooks: {
        setSelect: [(plot) => this.look(plot)],
        drawAxes: [(plot) => this.hatchGaps(plot)],
      },
    };
  }

  // A stretch was dragged over.
  look(plot) {
    const { left, width } = plot.select;
    if (width < 8) return;
    this.stretch = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.draw();
  }

  // Where the position is not known, or the daemon was not heard.
  hatchGaps(plot) {
    const [xs, positions] = plot.data;
    let gapFrom = null;
    xs.forEach((at, index) => {
      if (positions[index] === null && gapFrom === null) gapFrom = at;
      if (positions[index] !== null && gapFrom !== null) {
        this.hatch(plot, gapFrom, at);
        gapFrom = null;
      }
    });
    const { max } = plot.scales.x;
    if (gapFrom !== null) this.hatch(plot, gapFrom, max);
    else if (!this.live && xs.length) this.hatch(plot, xs[xs.length - 1], max);
  }

  hatch(plot, fromS, toS) {
    const pen = plot.ctx;
    const { top, height, left: edge } = plot.bbox;
    const [from, to] = [Math.max(edge, plot.valToPos(fromS, "x", true)), plot.valToPos(toS, "x", true)];
    pen.save();
    pen.beginPath();
    pen.rect(from, top, to - from, height);
    pen.clip();
    pen.strokeStyle = this.colours.hatch;
    pen.lineWidth = uPlot.pxRatio;
    pen.beginPath();
    const gap = 8 * uPlot.pxRatio;
    for (let column = Math.floor((from - height) / gap) * gap; column < to; column += gap) {
      pen.moveTo(column, top + height);
      pen.lineTo(column + height, top);
    }
    pen.stroke();
    pen.restore();
  }

  describe(fromS, toS) {
    const positionMm = this.points[this.points.length - 1][1];
    const now = positionMm === null ? "now not known" : `now ${millimetres(positionMm)} mm`;
    const spanS = Math.round(toS - fromS);
    const span = spanS >= 120 ? `${Math.round(spanS / 60)} minutes` : `${spanS} seconds`;
    const [low, high] = this.extent.map((mm) => mm.toFixed(2));
    const text = `Position over ${this.stretch ? "" : "the last "}${span}, from ${low} to ${high} mm; ${now}`;
    if (this.place.getAttribute("aria-label") !== text) this.place.setAttribute("aria-label", text);
  }
}
