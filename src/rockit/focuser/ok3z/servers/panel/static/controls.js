// What a viewer who may control can press, but for Stop (stop.js). Every answer of the daemon is shown as it was given.

import { ask } from "./ask.js";
import { millimetres } from "./values.js";

const find = (id) => document.getElementById(id);
// A comma too: it is what a telephone offers in half of Europe.
const NUMBER = /^[+−-]?(\d+([.,]\d*)?|[.,]\d+)$/;

// A browser that keeps nothing begins anew.
function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is forbidden here.
  }
}

export class Controls {
  // onCommand: called when a command is sent.
  constructor(onCommand) {
    this.onCommand = onCommand;
    this.last = null;
    this.live = false;
    this.goodMm = null;
    // The command that was sent last, until it is answered: the state comes a moment after a click.
    this.asking = null;
    find("set").addEventListener("submit", (event) => this.set(event));
    for (const button of document.querySelectorAll("[data-offset]")) {
      button.addEventListener("click", () => this.offset(button, Number(button.dataset.offset)));
    }
    for (const button of document.querySelectorAll("[data-opens]")) {
      button.addEventListener("click", () => this.open(button));
    }
    for (const button of document.querySelectorAll("[data-closes]")) {
      button.addEventListener("click", () => this.close(button.dataset.closes, true));
    }
    find("initialise-now").addEventListener("click", () => this.initialise());
    find("audit-now").addEventListener("click", () => this.audit());
    find("disconnect-now").addEventListener("click", () => this.disconnect());
    for (const button of document.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.step(button, Number(button.dataset.step)));
    }
    find("back").addEventListener("click", () => this.back());
    find("step").addEventListener("submit", (event) => event.preventDefault());
    find("step-by").value = remembered("focusd-step") ?? find("step-by").value;
  }

  about({ range_mm }) {
    find("range").textContent = `0 to ${range_mm} mm`;
  }

  status(status) {
    this.last = status;
    this.mark();
  }

  link({ live }) {
    this.live = live;
    // Its answer may never come; the state says what goes on when the link is back.
    if (!live) this.asking = null;
    this.mark();
  }

  // Buttons that cannot be used now say so, and keep the focus that a disabled one would lose.
  mark() {
    for (const button of document.querySelectorAll("[data-needs]")) {
      button.setAttribute("aria-disabled", String(this.whyNot(button) !== ""));
    }
  }

  whyNot(button) {
    if (!this.live || !this.last) return "There is no link to focusd now.";
    const { ready, moving, state } = this.last;
    const needs = button.dataset.needs;
    if (needs === "connected") return state === "disconnected" ? "The focuser is not connected." : "";
    if (state === "homing" || state === "moving" || state === "stopping") {
      return "The focuser is moving. Wait, or stop it.";
    }
    if (this.asking) return "A command was sent just now. Wait, or stop it.";
    if (needs === "ready" && !ready) return "The focuser is not ready. Initialise it first.";
    if (needs === "unready" && ready && !moving) return "The focuser is initialised already.";
    return "";
  }

  refuses(button) {
    const why = this.whyNot(button);
    if (why) this.refuse(why);
    return why !== "";
  }

  set(event) {
    event.preventDefault();
    if (this.refuses(event.target.querySelector("[type=submit]"))) return;
    const position = this.number("set-to", "Say where to: a number of millimetres.");
    if (position === null) return;
    this.command("set", { position_mm: position }, `Move to ${millimetres(position)} mm`);
  }

  offset(button, offset) {
    if (this.refuses(button)) return;
    const way = offset > 0 ? "outward" : "inward";
    this.command("offset", { offset_mm: offset }, `${Math.abs(offset)} mm ${way}`);
  }

  step(button, way) {
    if (this.refuses(button)) return;
    const size = this.number("step-by", "Say how far: a number of millimetres.");
    if (size === null) return;
    remember("focusd-step", find("step-by").value.trim());
    this.offset(button, way * Math.abs(size));
  }

  // Where it last stood for a while; null if that is not known.
  good(good) {
    this.goodMm = good ? good.position_mm : null;
    find("back").hidden = !good;
    if (good) find("back").textContent = `Back to the last good focus: ${good.words}`;
  }

  back() {
    if (this.refuses(find("back")) || this.goodMm === null) return;
    this.command("set", { position_mm: this.goodMm }, `Back to ${millimetres(this.goodMm)} mm`);
  }

  // What was typed, in mm; null, and said why, if it is no number.
  number(id, ask) {
    const text = find(id).value.trim();
    if (NUMBER.test(text)) return Number(text.replace(",", ".").replace("−", "-"));
    this.refuse(text ? `“${text}” is no number of millimetres.` : ask);
    find(id).focus();
    return null;
  }

  audit() {
    this.close("audit-question", true);
    this.command("audit", {}, "Audit");
  }

  initialise() {
    const resume = find("resume").checked;
    this.close("initialise", true);
    this.command("initialize", { resume }, resume ? "Initialise, resuming" : "Initialise");
  }

  disconnect() {
    this.close("disconnect", true);
    this.command("shutdown", {}, "Disconnect");
  }

  async command(name, values, words) {
    this.onCommand();
    this.say(`${words}…`);
    const asking = (this.asking = {});
    this.mark();
    const { done, code, message } = await ask(name, values);
    if (this.asking === asking) this.asking = null;
    this.mark();
    if (done) this.say(`${words}: done.`);
    else if (code === "stopped") this.say(`${words}: ${message}`);
    else this.refuse(`${words}: ${message}`);
  }

  // The questions before what takes long, or takes the focuser away. They lie in the page and hide nothing.

  open(button) {
    const id = button.dataset.opens;
    const wasOpen = !find(id).hidden;
    this.closeAll();
    if (wasOpen || this.refuses(button)) return;
    button.setAttribute("aria-expanded", "true");
    find(id).hidden = false;
    find(id).scrollIntoView({ block: "nearest" });
    find(id).querySelector("input, [data-closes]").focus({ preventScroll: true });
  }

  closeAll() {
    for (const button of document.querySelectorAll("[data-opens]")) this.close(button.dataset.opens, false);
  }

  close(id, focus) {
    const opener = document.querySelector(`[data-opens="${id}"]`);
    opener.setAttribute("aria-expanded", "false");
    find(id).hidden = true;
    find("resume").checked = false;
    if (focus) opener.focus();
  }

  say(text) {
    find("refusal").textContent = "";
    find("answer").textContent = text;
  }

  refuse(text) {
    find("answer").textContent = "";
    find("refusal").textContent = text;
  }
}
