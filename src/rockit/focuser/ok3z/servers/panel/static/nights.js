// The nights that the daemon keeps: what has moved, who asked, and where it was.

import { withAsker, shown } from "./moves.js";

const find = (id) => document.getElementById(id);
// After a move the row is written a moment later.
const AGAIN_MS = 700;

export class Nights {
  // onGood: told where the focuser last stood for a while, or null.
  constructor(onGood) {
    this.onGood = onGood;
    // The day on which the night begins that is looked at; empty for this one.
    this.day = "";
    this.shownDay = "";
    this.planned = null;
    this.plot = null;
    find("history-before").addEventListener("click", () => this.go(-1));
    find("history-after").addEventListener("click", () => this.go(1));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(find("history-chart"));
  }

  go(days) {
    if (!this.shownDay) return;
    const day = new Date(`${this.shownDay}T12:00:00Z`);
    day.setUTCDate(day.getUTCDate() + days);
    this.day = day.toISOString().slice(0, 10);
    this.load();
  }

  // Something may have been written.
  refresh() {
    clearTimeout(this.planned);
    this.planned = setTimeout(() => this.load(), AGAIN_MS);
  }

  async load() {
    const query = this.day ? `?day=${encodeURIComponent(this.day)}` : "";
    try {
      const response = await fetch(`/panel/history${query}`);
      const night = await response.json();
      if (!response.ok) throw new Error(night.message);
      this.show(night);
    } catch (error) {
      this.say(error instanceof SyntaxError || !error.message ? "The history cannot be had." : error.message);
    }
  }

  show({ day, from_s, to_s, rows, points, good }) {
    this.shownDay = day;
    find("history-day").textContent = day;
    find("history-csv").href = `/panel/history.csv?day=${day}`;
    this.say(rows.length ? "" : "Nothing is known of this night.");
    find("history").replaceChildren(...rows.map((row) => withAsker(shown(row), row)));
    this.draw(from_s, to_s, points);
    this.onGood(good);
  }

  say(text) {
    find("no-history").textContent = text;
    find("no-history").hidden = !text;
  }

  draw(fromS, toS, points) {
    const known = points.filter(([, mm]) => mm !== null);
    find("history-chart").hidden = !known.length;
    this.plot?.destroy();
    this.plot = null;
    if (!known.length) return;
    // It stands where it was until it moves; and until now, if the night is not over.
    const last = points[points.length - 1];
    const line = [...points, [Math.min(toS, Date.now() / 1000), last[1]]];
    this.plot = new uPlot(this.options(fromS, toS), [line.map(([at]) => at), line.map(([, mm]) => mm)], find("history-chart"));
  }

  options(min, max) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: colour("dim"), ticks: { show: false }, grid: { stroke: colour("grid"), width: 1 } };
    return {
      ...this.size(),
      tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "UTC"),
      scales: { x: { range: [min, max] } },
      axes: [
        { ...axis, size: 24, values: (_, splits) => splits.map((s) => new Date(s * 1000).toISOString().slice(11, 16)) },
        { ...axis, size: 56 },
      ],
      series: [{}, { stroke: colour("line"), width: 2, points: { show: false } }],
      legend: { show: false },
      cursor: { show: false },
    };
  }

  size() {
    return { width: Math.max(80, find("history-chart").clientWidth), height: 160 };
  }
}
