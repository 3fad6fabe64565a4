/** The slider through the video of the current frame; frames that were passed meanwhile are left out. */

import { byId } from "./dom.js";

export class Scrub {
  #slider = byId("scrub");
  #wanted = null; // position to show next
  #running = false;

  /** @param {(position: number) => Promise<boolean>} goTo shows the frame there */
  constructor(goTo) {
    this.goTo = goTo;
    this.#slider.addEventListener("input", () => this.#want(this.#slider.valueAsNumber));
    this.#slider.addEventListener("change", () => byId("canvas").focus({ preventScroll: true }));
  }

  /** @param {import("./api.js").Frame} frame the one that is shown */
  show({ position, frames, video, number }) {
    this.#slider.hidden = frames < 2;
    this.#slider.max = frames - 1;
    this.#slider.setAttribute("aria-valuetext", `${video}, frame ${number}`);
    if (!this.#running) this.#slider.value = position;
  }

  async #want(position) {
    this.#wanted = position;
    if (this.#running) return;
    this.#running = true;
    while (this.#wanted !== null) {
      const next = this.#wanted;
      this.#wanted = null;
      await this.goTo(next);
    }
    this.#running = false;
  }
}
