/** The strip of frames to do: how unsure the preview is of each, and what the last clicks changed. */

import { byId, element, setText } from "./dom.js";

const INTERVAL = 5000; // milliseconds between two requests while the tab is visible

export class Survey {
  #frames = [];
  #shown = "";

  /**
   * @param {import("./api.js").Api} api
   * @param {(id: string) => void} goTo shows a frame
   */
  constructor(api, goTo) {
    Object.assign(this, { api, goTo });
    setInterval(() => document.hidden || this.#update(), INTERVAL);
    this.#update();
  }

  /**
   * Show the frame that the preview is most unsure of.
   * @param {string} id the current frame
   * @returns {boolean} whether there is another one
   */
  next(id) {
    const frame = this.#frames.find((one) => one.id !== id);
    if (frame) this.goTo(frame.id);
    return Boolean(frame);
  }

  async #update() {
    const survey = await this.api.survey().catch(() => null); // the next request may succeed
    const state = JSON.stringify(survey);
    if (!survey || state === this.#shown) return;
    this.#shown = state;
    this.#frames = survey.frames;
    byId("survey").hidden = !survey.frames.length;
    byId("survey-frames").replaceChildren(...survey.frames.map((frame) => this.#bar(frame)));
    setText("survey-text", describe(survey));
  }

  #bar({ id, video, number, unsure }) {
    const text = `${video}, frame ${number}: unsure of ${percent(unsure)}`;
    const bar = element("button", null, { title: text, ariaLabel: text, onclick: () => this.goTo(id) }, [element("i")]);
    bar.firstChild.style.height = `${Math.max(100 * unsure, 6)}%`;
    return bar;
  }
}

function describe({ changed, clicks }) {
  if (changed === null) return "";
  return `the last ${clicks} clicks changed ${percent(changed)} of the frames to do`;
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
