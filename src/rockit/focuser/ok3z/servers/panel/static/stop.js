// Stopping: the button, the key Esc, and what comes of it. That is said over the button, which is always on the screen.

import { ask } from "./ask.js";

// The daemon itself gives up after 20 s.
const PATIENCE_MS = 25000;
const CUT = "if the motor must stand now, cut its power.";
const NO_LINK = `STOP NOT CONFIRMED: no link to focusd. It was sent; ${CUT}`;
const NO_ANSWER = `STOP NOT CONFIRMED: focusd does not answer. ${CUT[0].toUpperCase()}${CUT.slice(1)}`;
const STANDS_NOW = "The stop was not confirmed then. The focuser stands now.";

const find = (id) => document.getElementById(id);

export class Stop {
  // onPress: called at each stop.
  constructor(onPress) {
    this.onPress = onPress;
    this.live = false;
    this.resting = false;
    // The stop that was sent last, until it is answered.
    this.pending = null;
    this.alarmed = false;
    // Whether the focuser was seen standing since something was said.
    this.stood = false;
    find("stop").addEventListener("click", () => this.press());
    // On the way down, so that nothing on the page can swallow it.
    addEventListener("keydown", (event) => event.key === "Escape" && !event.repeat && this.press(), true);
  }

  async press() {
    this.onPress();
    const pending = (this.pending = {});
    // A browser may wait for a connection for as long as the patience lasts: the motor may not.
    if (this.live || this.resting) this.say("Stopping…");
    else this.alarm(NO_LINK);
    const { done, code, message } = await ask("stop", {}, PATIENCE_MS);
    // Of several the last one tells how it stands.
    if (this.pending !== pending) return;
    this.pending = null;
    if (done) this.say("Stopped: the focuser stands.");
    else this.alarm(code === "lost" ? NO_ANSWER : `STOP NOT CONFIRMED. ${message}`);
  }

  // A page that rests has lost nothing: it asked for nothing.
  link({ live, resting }) {
    this.live = live;
    this.resting = resting;
    if (live || resting) return;
    if (this.pending) this.alarm(NO_LINK);
    // That it stands is not known any more.
    else if (!this.alarmed) this.say("");
  }

  status({ state, moving }) {
    // One that comes with a link that is not believed yet may be old, and a stop that waits has its own answer.
    if (this.pending || !this.live) return;
    const stands = !moving && (state === "idle" || state === "unhomed");
    if (stands && this.alarmed) this.say(STANDS_NOW);
    // An answer may overtake the states before it: only a focuser that stood and moves again makes it untrue.
    else if (!stands && this.stood) this.forget();
    this.stood = stands;
  }

  // Something else is asked for: what was said is past, unless it was an alarm.
  forget() {
    if (!this.alarmed && !this.pending) this.say("");
  }

  alarm(text) {
    this.say(text, true);
  }

  say(text, alarmed = false) {
    this.alarmed = alarmed;
    this.stood = false;
    const says = find("stop-says");
    says.classList.toggle("alarm", alarmed);
    // Only where it changes: it would be read aloud again and again.
    if (says.textContent !== text) says.textContent = text;
  }
}
