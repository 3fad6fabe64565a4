/** The result video: the original to the left of a border that can be moved, the prediction to the right of it. */

import { byId, element } from "./dom.js";

const STEPS = 1000; // of both sliders

export class Result {
  #shown = "";

  constructor() {
    // one file holds both halves of each frame, side by side, so that they cannot get out of step
    this.video = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, preload: "auto" });
    this.canvas = byId("result-canvas");
    for (const type of ["loadeddata", "seeked", "timeupdate"]) this.video.addEventListener(type, () => this.#draw());
    for (const type of ["play", "pause"]) this.video.addEventListener(type, () => this.#showState());
    byId("result-split").addEventListener("input", () => this.#draw());
    byId("result-time").addEventListener("input", ({ target }) => this.#seek(target.value / STEPS));
    byId("result-play").addEventListener("click", () => (this.video.paused ? this.video.play() : this.video.pause()));
    byId("result-video").addEventListener("change", ({ target }) => this.#load(target.value));
  }

  /**
   * @param {string} run
   * @param {string[]} names of the videos
   */
  show(run, names) {
    byId("result-picture").hidden = byId("result-controls").hidden = !names.length;
    byId("result-video").hidden = names.length < 2;
    if (this.#shown === run || !names.length) return;
    this.#shown = run;
    byId("result-video").replaceChildren(...names.map((name, value) => element("option", name, { value })));
    this.#load(0);
  }

  pause() {
    this.video.pause();
  }

  #load(position) {
    this.video.src = `/api/training/results/${position}?run=${encodeURIComponent(this.#shown)}`;
  }

  #seek(share) {
    if (this.video.duration) this.video.currentTime = share * this.video.duration;
  }

  #showState() {
    byId("result-play").textContent = this.video.paused ? "▶" : "❚❚";
    if (!this.video.paused) this.video.requestVideoFrameCallback(() => this.#playing());
  }

  #playing() {
    this.#draw();
    if (!this.video.paused) this.video.requestVideoFrameCallback(() => this.#playing());
  }

  #draw() {
    const { video, canvas } = this;
    if (!video.videoWidth) return;
    const width = video.videoWidth / 2;
    const height = video.videoHeight;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const border = Math.round((byId("result-split").value / STEPS) * width);
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, width, height, 0, 0, width, height);
    const rest = width - border;
    if (rest > 0) context.drawImage(video, width + border, 0, rest, height, border, 0, rest, height);
    context.fillStyle = "#fff";
    context.fillRect(border - 1, 0, 2, height);
    byId("result-time").value = video.duration ? (video.currentTime / video.duration) * STEPS : 0;
  }
}
