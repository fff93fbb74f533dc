// Position over the last minutes, on a canvas: a line, the target dashed, and hatching where nothing is known.

import { extent, timeSpan, timeTicks, valueTicks } from "./scale.js";
import { millimetres } from "./values.js";

const MARGIN = { left: 56, right: 14, top: 10, bottom: 24 };
const MOST_POINTS = 8000;
// Between two drawings for those who asked their system for less motion.
const CALM_MS = 1000;

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.points = [];
    this.historyS = 600;
    this.rangeMm = 0;
    this.live = false;
    // The daemon's clock minus this page's.
    this.clockAheadS = null;
    this.drawnAt = -Infinity;
    this.planned = null;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.recolour();
    new ResizeObserver(() => this.draw()).observe(canvas);
    setInterval(() => this.plan(), CALM_MS);
  }

  about({ history_s, range_mm }) {
    this.historyS = history_s;
    this.rangeMm = range_mm;
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

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = {
      ink: colour("--ink"),
      dim: colour("--dim"),
      grid: colour("--grid"),
      line: colour("--line"),
      target: colour("--target"),
      hatch: colour("--hatch"),
    };
    this.draw();
  }

  plan() {
    if (this.planned) return;
    const since = performance.now() - this.drawnAt;
    const wait = this.calm.matches ? Math.max(0, CALM_MS - since) : 0;
    const planned = (this.planned = {});
    // Unless it was drawn meanwhile, in another size or colour.
    setTimeout(() => requestAnimationFrame(() => planned === this.planned && this.draw()), wait);
  }

  draw() {
    this.planned = null;
    this.drawnAt = performance.now();
    const { width, height } = this.fit();
    this.pen.clearRect(0, 0, width, height);
    if (!this.points.length || width < 80) return;
    const last = this.points[this.points.length - 1];
    const nowS = this.clockAheadS === null ? last[0] : Math.max(last[0], this.drawnAt / 1000 + this.clockAheadS);
    const spanS = timeSpan(nowS - this.points[0][0], this.historyS);
    const [lowMm, highMm] = extent(this.points, nowS - spanS, this.rangeMm);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const x = (s) => MARGIN.left + (1 - (nowS - s) / spanS) * inner.width;
    const y = (mm) => MARGIN.top + (1 - (mm - lowMm) / (highMm - lowMm)) * inner.height;
    this.drawGrid(x, y, nowS, spanS, lowMm, highMm, width, height);
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(MARGIN.left, 0, inner.width + MARGIN.right, height - MARGIN.bottom);
    this.pen.clip();
    this.hatchGaps(x, nowS, height);
    this.drawLine(x, y, nowS, 2, this.colours.target, [2, 4], 1.5);
    this.drawLine(x, y, nowS, 1, this.colours.line, [], 2.25);
    if (this.live && last[1] !== null) this.drawDot(x(nowS), y(last[1]));
    this.pen.restore();
    this.describe(spanS, lowMm, highMm, last[1]);
  }

  // As many pixels as the screen has.
  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height };
  }

  drawGrid(x, y, nowS, spanS, lowMm, highMm, width, height) {
    const pen = this.pen;
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    pen.strokeStyle = this.colours.grid;
    pen.fillStyle = this.colours.dim;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const { at, label } of valueTicks(lowMm, highMm, (height - MARGIN.top - MARGIN.bottom) / 44)) {
      const row = Math.round(y(at)) + 0.5;
      this.stroke(MARGIN.left, row, width - MARGIN.right, row);
      pen.fillText(label, MARGIN.left - 8, row);
    }
    pen.textBaseline = "alphabetic";
    const words = timeTicks(spanS, (width - MARGIN.left) / 90);
    for (const { agoS, label } of words) {
      const column = Math.round(x(nowS - agoS)) + 0.5;
      this.stroke(column, MARGIN.top, column, height - MARGIN.bottom);
      pen.textAlign = agoS === 0 ? "right" : agoS === spanS ? "left" : "center";
      pen.fillText(label, agoS === 0 ? column + 6 : column, height - 7);
    }
  }

  stroke(fromX, fromY, toX, toY) {
    this.pen.beginPath();
    this.pen.moveTo(fromX, fromY);
    this.pen.lineTo(toX, toY);
    this.pen.stroke();
  }

  drawLine(x, y, nowS, column, colour, dashes, width) {
    const pen = this.pen;
    pen.beginPath();
    let before = null;
    for (const point of this.points) {
      if (point[column] !== null) {
        if (before === null) pen.moveTo(x(point[0]), y(point[column]));
        // A target is there from one moment to the next; a position is not.
        else if (column === 2) pen.lineTo(x(point[0]), y(before));
        pen.lineTo(x(point[0]), y(point[column]));
      }
      before = point[column];
    }
    if (before !== null && this.live) pen.lineTo(x(nowS), y(before));
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.lineJoin = "round";
    pen.setLineDash(dashes);
    pen.stroke();
    pen.setLineDash([]);
  }

  // Where the position is not known, or the daemon was not heard.
  hatchGaps(x, nowS, height) {
    let gapFrom = null;
    for (const [at, position] of this.points) {
      if (position === null && gapFrom === null) gapFrom = at;
      if (position !== null && gapFrom !== null) {
        this.hatch(x(gapFrom), x(at), height);
        gapFrom = null;
      }
    }
    const last = this.points[this.points.length - 1];
    if (gapFrom !== null) this.hatch(x(gapFrom), x(nowS), height);
    else if (!this.live) this.hatch(x(last[0]), x(nowS), height);
  }

  hatch(from, to, height) {
    const pen = this.pen;
    const bottom = height - MARGIN.bottom;
    pen.save();
    pen.beginPath();
    pen.rect(from, MARGIN.top, to - from, bottom - MARGIN.top);
    pen.clip();
    pen.strokeStyle = this.colours.hatch;
    pen.lineWidth = 1;
    const first = Math.floor((Math.max(from, MARGIN.left) - height) / 8) * 8;
    for (let column = first; column < to; column += 8) this.stroke(column, bottom, column + height, bottom - height);
    pen.restore();
  }

  drawDot(x, y) {
    this.pen.beginPath();
    this.pen.arc(x, y, 4, 0, 2 * Math.PI);
    this.pen.fillStyle = this.colours.line;
    this.pen.fill();
  }

  describe(spanS, lowMm, highMm, positionMm) {
    const now = positionMm === null ? "now not known" : `now ${millimetres(positionMm)} mm`;
    const span = spanS >= 120 ? `${spanS / 60} minutes` : `${spanS} seconds`;
    const text = `Position over the last ${span}, from ${lowMm.toFixed(2)} to ${highMm.toFixed(2)} mm; ${now}`;
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
  }
}
