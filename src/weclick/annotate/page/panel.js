/** The bars around the picture: classes, progress, the saved badge, messages. */

import { announce, byId, element, setText } from "./dom.js";
import { textColorOn } from "./draw.js";
import { countByClass, UNKNOWN } from "./points.js";

const MESSAGE_TIME = 3500; // milliseconds
const STATUS = { todo: "to do", done: "✓ done", skipped: "» skipped" };
const FEW = 2; // clicks of a class in all frames up to which little is known of it
const FILTER_FROM = 13; // number of classes from which a search field helps

export class Panel {
  #chips = [];
  #messageTimer = null;

  /**
   * @param {import("./styles.js").ClassStyle[]} styles of the classes
   * @param {(classId: number) => void} choose
   * @param {string} next what to do when all frames of the goal are clicked
   */
  constructor(styles, choose, next) {
    Object.assign(this, { styles, choose, next });
    this.#chips = styles.map((style, id) => this.#chip(style, id));
    byId("classes").append(...this.#chips);
    byId("filter").addEventListener("input", () => this.#filter());
    byId("filter").addEventListener("keydown", (event) => this.#filterKey(event));
    byId("canvas").addEventListener("focus", () => this.#endFilter());
    document.querySelector("[data-command=find]").hidden = styles.length < FILTER_FROM;
  }

  /**
   * @param {import("./work.js").Work} work
   * @param {number} current class
   * @param {number} zoom
   */
  showWork(work, current, zoom) {
    const { frame, status, accepted, history, points } = work;
    setText("video", frame.video);
    setText("number", `frame ${frame.number} · ${frame.position + 1} of ${frame.frames}`);
    setText("status", accepted ? "✓ accepted" : STATUS[status]);
    byId("status").dataset.status = status;
    setText("zoom", `${Math.round(zoom * 100)} %`);
    const counts = countByClass(points);
    this.#chips.forEach((chip, id) => {
      chip.setAttribute("aria-pressed", String(id === current));
      chip.querySelector(".count").textContent = counts.get(id) ?? "";
    });
    document.querySelector("[data-command=unknown]").setAttribute("aria-pressed", String(current === UNKNOWN));
    document.querySelector("[data-command=undo]").disabled = !history.canUndo;
    document.querySelector("[data-command=redo]").disabled = !history.canRedo;
  }

  /** @param {import("./api.js").Progress} progress */
  showProgress({ goal, done, skipped, todo, clicks, class_clicks }) {
    const percent = (count) => `${goal ? Math.min((100 * count) / goal, 100) : 0}%`;
    byId("bar-done").style.width = percent(done);
    byId("bar-skipped").style.width = percent(skipped);
    byId("bar").setAttribute("aria-valuemax", goal);
    byId("bar").setAttribute("aria-valuenow", Math.min(done + skipped, goal));
    this.#chips.forEach((chip, id) => this.#showKnown(chip, this.styles[id], clicks ? class_clicks[id] : null));
    setText("progress-text", `${done} of ${goal} done · ${skipped} skipped · ${todo ? `${todo} to do` : this.next}`);
  }

  /**
   * @param {number} seconds since the page was opened
   * @param {number} clicks added in that time
   * @param {number} frames finished in that time
   */
  showTimes(seconds, clicks, frames) {
    const each = (count, unit) => (count ? [`${duration(seconds / count)} per ${unit}`] : []);
    setText("times", [...each(clicks, "click"), ...each(frames, "frame")].join(" · "));
  }

  /**
   * @param {number} unsaved frames that are not stored as they are here
   * @param {string | null} problem the reason, if saving has failed
   */
  showSaved(unsaved, problem) {
    const badge = byId("saved");
    const state = problem ? "failed" : unsaved ? "saving" : "saved";
    badge.dataset.state = state;
    setText("saved", { saved: "✓ saved", saving: "saving …", failed: "⚠ NOT SAVED" }[state]);
    badge.title = problem ? `${problem}. Your clicks are kept in this browser until they can be saved.` : "";
  }

  /** @param {string} text why there is no preview to see; empty if there is one */
  showPreview(text) {
    setText("preview", text);
  }

  /** @param {number} offset of the neighbour that is shown */
  showOffset(offset) {
    setText("number", `▶ ${offset > 0 ? "+" : offset < 0 ? "−" : ""}${Math.abs(offset)}`);
  }

  /** @param {number} classId the chip to scroll to; unknown has none */
  scrollTo(classId) {
    this.#chips[classId]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  find() {
    byId("filter").hidden = false;
    byId("filter").focus();
    byId("filter").select();
  }

  /** @param {string} text for screen readers only */
  announce(text) {
    announce("announcer", text);
  }

  /** @param {string} text a message that disappears after a few seconds */
  showMessage(text) {
    clearTimeout(this.#messageTimer);
    announce("toast", text);
    this.#messageTimer = setTimeout(() => setText("toast", ""), MESSAGE_TIME);
  }

  #chip(style, id) {
    const key = element("span", style.label, { className: style.thing ? "key thing" : "key" });
    key.style.background = style.color;
    key.style.color = textColorOn(style.color);
    const name = element("span", style.name, { className: "name" });
    const parts = [key, name, element("span", "", { className: "count" })];
    const onclick = () => {
      this.#endFilter();
      this.choose(id);
    };
    return element("button", null, { className: "chip", title: hint(style), onclick }, parts);
  }

  /** Mark a class that has few clicks over all frames; null: nothing is clicked yet. */
  #showKnown(chip, style, clicks) {
    const few = clicks !== null && clicks <= FEW;
    chip.toggleAttribute("data-few", few);
    const known = few ? `. ${clicks || "No"} click${clicks === 1 ? "" : "s"} in all frames: too few to learn the class from` : "";
    chip.title = hint(style) + known;
  }

  #filter() {
    const query = byId("filter").value.trim().toLowerCase();
    this.#chips.forEach((chip, id) => {
      chip.hidden = !this.styles[id].name.toLowerCase().includes(query);
    });
  }

  #filterKey(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    const first = this.#chips.findIndex((chip) => !chip.hidden);
    byId("canvas").focus();
    this.#endFilter();
    if (event.key === "Enter" && first >= 0) this.choose(first);
  }

  #endFilter() {
    byId("filter").value = "";
    byId("filter").hidden = true;
    this.#filter();
  }
}

function hint({ name, thing }) {
  return `${name}: click ${thing ? "each object" : "each connected area"} once`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
