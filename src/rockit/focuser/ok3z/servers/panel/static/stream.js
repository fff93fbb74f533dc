// The stream of events from the daemon: comes back by itself, and knows when it hears nothing.

// The daemon says something every second, whatever happens.
const SILENCE_MS = 4000;
const LOOK_MS = 500;
// A browser that was refused does not try again by itself, and one whose network died does not notice.
const REOPEN_MS = 3000;
const KINDS = ["about", "history", "moves", "status"];

export class Stream {
  // handlers: a function for each kind of event, and `link`, called with {live, silentMs, resting}. Resting: nothing
  // was asked for, or only just now, so that nothing is amiss.
  constructor(handlers) {
    this.handlers = handlers;
    this.source = null;
    this.heardAt = performance.now();
    this.openedAt = 0;
    this.live = false;
    this.resting = false;
  }

  open() {
    if (!document.hidden) this.connect();
    setInterval(() => this.look(), LOOK_MS);
    // A browser has six connections to one server. A page that nobody sees must not keep one: with a few of them
    // a stop would find none free.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.rest();
      else this.connect();
    });
    addEventListener("pagehide", () => this.rest());
    addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  connect() {
    this.source?.close();
    this.openedAt = performance.now();
    const source = new EventSource("/panel/events");
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => source === this.source && this.hear(kind, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => source === this.source && this.lose());
    this.source = source;
  }

  // What is shown is no longer kept up to date: every part must know, the title of the tab first of all.
  rest() {
    this.source?.close();
    this.source = null;
    this.resting = true;
    this.say(false);
  }

  hear(kind, data) {
    this.heardAt = performance.now();
    this.handlers[kind](data);
    if (kind === "status" && !this.live) this.say(true);
  }

  look() {
    if (document.hidden) return;
    const now = performance.now();
    if (this.resting && this.source && now - this.openedAt <= SILENCE_MS) return;
    if (this.live && now - this.heardAt <= SILENCE_MS) return;
    this.lose();
    const silentSince = Math.max(this.heardAt, this.openedAt);
    const dead = this.source === null || this.source.readyState === EventSource.CLOSED;
    if (now - silentSince > (dead ? REOPEN_MS : SILENCE_MS)) this.connect();
  }

  lose() {
    this.resting = false;
    this.say(false);
  }

  say(live) {
    this.live = live;
    if (live) this.resting = false;
    this.handlers.link({ live, silentMs: performance.now() - this.heardAt, resting: this.resting });
  }
}
