// Puts the parts of the page together: what the daemon says goes to the parts that show it.

import { Chart } from "./chart.js";
import { Controls } from "./controls.js";
import { showMoves } from "./moves.js";
import { Nights } from "./nights.js";
import { wireNight } from "./theme.js";
import { Stop } from "./stop.js";
import { Stream } from "./stream.js";
import { Values } from "./values.js";

const values = new Values();
const chart = new Chart(document.getElementById("chart"), document.querySelectorAll("[data-span]"));
const controls = document.getElementById("controls") ? new Controls(() => stop.forget()) : null;
const nights = new Nights((good) => controls?.good(good));
const stop = controls && new Stop(() => controls.closeAll());

// A page that comes back the same, as out of a proxy's store, must not be asked for again and again.
function reloadOnceUnless(fits) {
  const reloaded = "focusd-reloaded";
  try {
    if (fits) return sessionStorage.removeItem(reloaded);
    if (sessionStorage.getItem(reloaded)) return;
    sessionStorage.setItem(reloaded, "yes");
  } catch {
    // Storage is forbidden here: whether this page was reloaded already cannot be known.
    return;
  }
  location.reload();
}

const stream = new Stream({
  about(about) {
    // Permission may have changed while the daemon was away: the page is made for each viewer anew.
    reloadOnceUnless(about.may_control === (controls !== null));
    values.about(about);
    controls?.about(about);
    chart.about(about);
  },
  history: ({ points }) => chart.begin(points),
  moves({ moves }) {
    showMoves(moves);
    nights.refresh();
  },
  status(status) {
    values.status(status);
    controls?.status(status);
    stop?.status(status);
    chart.add(status);
  },
  link(link) {
    values.link(link);
    controls?.link(link);
    stop?.link(link);
    chart.link(link);
  },
});

wireNight(() => {
  chart.recolour();
  nights.refresh();
});
stream.open();
