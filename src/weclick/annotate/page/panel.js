/** What stands around the picture: classes, progress, the saved badge, messages. */

import { announce, byId, element, setText } from "./dom.js";
import { inkOn } from "./draw.js";
import { counts } from "./points.js";

const TOAST = 3500; // milliseconds
const STATUS = { todo: "to do", done: "✓ done", skipped: "» skipped" };
const FILTER_FROM = 13; // classes; fewer are found at a glance

export class Panel {
  #chips = [];
  #toast = null;

  /**
   * @param {import("./looks.js").Look[]} looks of the classes
   * @param {(classId: number) => void} choose
   */
  constructor(looks, choose) {
    this.looks = looks;
    this.choose = choose;
    this.#chips = looks.map((look, id) => this.#chip(look, id));
    byId("classes").append(...this.#chips);
    byId("filter").addEventListener("input", () => this.#filter());
    byId("filter").addEventListener("keydown", (event) => this.#filterKey(event));
    byId("canvas").addEventListener("focus", () => this.#endFilter());
    document.querySelector("[data-command=find]").hidden = looks.length < FILTER_FROM;
  }

  /**
   * @param {import("./work.js").Work} work
   * @param {number} current class
   * @param {number} zoom
   */
  showWork(work, current, zoom) {
    const { frame, status, history, points } = work;
    setText("video", frame.video);
    setText("number", `frame ${frame.number} · ${frame.position + 1} of ${frame.frames}`);
    setText("status", STATUS[status]);
    byId("status").dataset.status = status;
    setText("zoom", `${Math.round(zoom * 100)} %`);
    const found = counts(points);
    this.#chips.forEach((chip, id) => {
      chip.setAttribute("aria-pressed", String(id === current));
      chip.querySelector(".count").textContent = found.get(id) ?? "";
    });
    document.querySelector("[data-command=undo]").disabled = !history.canUndo;
    document.querySelector("[data-command=redo]").disabled = !history.canRedo;
  }

  /** @param {import("./api.js").Progress} progress */
  showProgress({ goal, done, skipped, todo }) {
    const percent = (count) => `${goal ? Math.min((100 * count) / goal, 100) : 0}%`;
    byId("bar-done").style.width = percent(done);
    byId("bar-skipped").style.width = percent(skipped);
    byId("bar").setAttribute("aria-valuemax", goal);
    byId("bar").setAttribute("aria-valuenow", Math.min(done + skipped, goal));
    setText("progress-text", `${done} of ${goal} done · ${skipped} skipped · ${todo} to do`);
  }

  /**
   * @param {number} seconds spent since the page was opened
   * @param {number} clicks set in that time
   * @param {number} frames finished in that time
   */
  showTimes(seconds, clicks, frames) {
    const each = (count, what) => (count ? [`${duration(seconds / count)} a ${what}`] : []);
    setText("times", [...each(clicks, "click"), ...each(frames, "frame")].join(" · "));
  }

  /**
   * @param {number} unsaved frames that are not stored as they are here
   * @param {string | null} problem why not
   */
  showSaved(unsaved, problem) {
    const badge = byId("saved");
    const state = problem ? "failed" : unsaved ? "saving" : "saved";
    badge.dataset.state = state;
    setText("saved", { saved: "✓ saved", saving: "saving …", failed: "⚠ NOT SAVED" }[state]);
    badge.title = problem ? `${problem}; what you clicked is kept here and saved as soon as that works` : "";
  }

  /** @param {number} offset of the neighbour that is played */
  showOffset(offset) {
    setText("number", `▶ ${offset > 0 ? "+" : offset < 0 ? "−" : ""}${Math.abs(offset)}`);
  }

  /** @param {number} classId the chip to bring into sight */
  reveal(classId) {
    this.#chips[classId].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  find() {
    byId("filter").hidden = false;
    byId("filter").focus();
    byId("filter").select();
  }

  /** @param {string} text what the eye sees anyway, for those who listen */
  tell(text) {
    announce("heard", text);
  }

  /** @param {string} text a passing remark */
  say(text) {
    clearTimeout(this.#toast);
    announce("toast", text);
    this.#toast = setTimeout(() => setText("toast", ""), TOAST);
  }

  #chip(look, id) {
    const key = element("span", look.glyph, { className: look.thing ? "key thing" : "key" });
    key.style.background = look.color;
    key.style.color = inkOn(look.color);
    const parts = [key, element("span", look.name, { className: "name" }), element("span", "", { className: "count" })];
    const title = `${look.name}: ${look.thing ? "click each one" : "click each connected area"}`;
    return element("button", null, { className: "chip", title, onclick: () => this.#press(id) }, parts);
  }

  #press(id) {
    this.#endFilter();
    this.choose(id);
  }

  #filter() {
    const wanted = byId("filter").value.trim().toLowerCase();
    this.#chips.forEach((chip, id) => {
      chip.hidden = !this.looks[id].name.toLowerCase().includes(wanted);
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

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
