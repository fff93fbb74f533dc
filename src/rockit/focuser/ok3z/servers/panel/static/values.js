// Shows what the daemon says of the focuser, and for how long it has said nothing.

const NO_POSITION = "–.–––";
// At rest the controller is read once a second.
const OLD_S = 3;

const find = (id) => document.getElementById(id);

// Only where it changes: a reader of the screen would say it again and again.
const put = (id, text) => {
  const element = find(id);
  if (element.textContent !== text) element.textContent = text;
};

const putOrHide = (id, text) => {
  put(id, text);
  find(id).hidden = !text;
};

export const millimetres = (value) => value.toFixed(3).replace("-", "−");

export class Values {
  constructor() {
    this.name = "focuser";
    this.live = false;
    // What the title says before the name, while it is true.
    this.brief = "";
    // Where it was last seen, in mm; null before.
    this.seenMm = null;
    this.rangeMm = 0;
  }

  about({ name, version, viewer, range_mm }) {
    this.name = name;
    this.rangeMm = range_mm;
    put("travel-end", String(range_mm));
    put("name", name);
    put("about", `focusd ${version}, seen from ${viewer}`);
  }

  status(status) {
    const known = status.position_mm !== null;
    if (known) this.seenMm = status.position_mm;
    putOrHide("seen", status.seen);
    this.mark("travel-at", status.position_mm);
    this.mark("travel-to", status.target_mm);
    put("state", status.words);
    find("state").dataset.tone = status.tone;
    put("detail", status.detail);
    put("position", known ? millimetres(status.position_mm) : NO_POSITION);
    find("position").classList.toggle("unknown", !known);
    put("target", status.target_mm === null ? "–" : `${millimetres(status.target_mm)} mm`);
    put("steps", status.steps === null ? "–" : String(status.steps).replace("-", "−"));
    put("trust", status.trust_words);
    put("homed", status.homed);
    find("trust").dataset.trust = status.trust;
    // A focuser that is offline says the same in its reason, as a rule.
    put("trust-reason", status.trust_reason === status.reason ? "" : status.trust_reason);
    put("audit", status.audit);
    find("audit-row").hidden = !status.audit;
    put("temperature", status.temperature);
    find("temperature-row").hidden = !status.temperature;
    put("sum", status.sum);
    this.fill("terms", status.terms);
    find("terms-row").hidden = !status.sum;
    putOrHide("reason", status.reason);
    this.warn(status.warnings);
    const old = status.age_s !== null && status.age_s > OLD_S;
    putOrHide("age", old ? `The controller was last heard ${Math.round(status.age_s)} s ago.` : "");
    this.brief = known ? `${millimetres(status.position_mm)} mm` : status.words;
    this.entitle();
  }

  // On the bar from 0 to the range.
  mark(id, mm) {
    const mark = find(id);
    mark.hidden = mm === null || !this.rangeMm;
    if (!mark.hidden) mark.style.left = `${(100 * Math.min(Math.max(mm / this.rangeMm, 0), 1)).toFixed(2)}%`;
  }

  // A tab may show its title for hours without a look at the page: nothing that is old stands in it.
  entitle() {
    document.title = this.live ? `${this.brief} · ${this.name}` : this.name;
  }

  warn(warnings) {
    this.fill("warnings", warnings);
  }

  // A list, a line each.
  fill(id, lines) {
    const list = find(id);
    const before = [...list.children].map((item) => item.textContent);
    if (before.join("\n") === lines.join("\n")) return;
    list.replaceChildren(
      ...lines.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
  }

  link({ live, silentMs, resting }) {
    this.live = live;
    this.entitle();
    document.body.classList.remove("waiting");
    document.body.classList.toggle("lost", !live);
    put("daemon-link", live ? "Live" : resting ? "Connecting to focusd" : "No link to focusd");
    find("daemon-link").dataset.live = live ? "yes" : "no";
    find("lost").hidden = live || resting;
    if (live || resting) return put("lost", "");
    // Its age would stand still; the banner says where that was.
    putOrHide("seen", "");
    this.sayLost(silentMs);
  }

  sayLost(silentMs) {
    const banner = find("lost");
    if (!banner.firstChild) {
      // The age stands apart, so that it is not read aloud at every tick.
      const age = document.createElement("span");
      age.id = "lost-age";
      age.setAttribute("aria-live", "off");
      const seen = this.seenMm === null ? "" : ` It was last seen at ${millimetres(this.seenMm)} mm.`;
      banner.append("No word from focusd", age, `. What is shown is old.${seen} Trying again by itself.`);
    }
    put("lost-age", ` for ${Math.max(0, Math.round(silentMs / 1000))} s`);
  }
}
