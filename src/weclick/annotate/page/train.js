/** The panel of the Train button: starts a training, shows how far it is, and what came of it. */

import { ApiError } from "./api.js";
import { curve } from "./curve.js";
import { byId, element, setText } from "./dom.js";
import { Result } from "./result.js";

const POLL = { open: 1500, closed: 10_000 }; // milliseconds between two requests while a training runs
const STEPS = {
  fit: "training",
  predict: "making the result video",
  clicks: "looking for frames to click next",
  test: "measuring how good it is",
};
const CAPTIONS = {
  masks: "IoU of each class on frames with masks",
  clicks: "Share of held-out clicks that are right, by class; says nothing about borders",
};
const STAGES = { teacher: "teacher", memory: "memory", student: "student" };
const INTRODUCTION =
  "Trains a small network from your clicks and accepted frames, and shows it on the video. Accepted frames (Enter, where the " +
  "overlay is right) teach it most; ten to twenty are a good start. You can go on clicking, close this page or stop the server.";

export class TrainingPanel {
  #timer = null;
  #shown = ""; // the state that is shown, so that nothing is built again while it is used

  /**
   * @param {import("./api.js").Api} api
   * @param {(id: string) => void} goTo shows a frame
   */
  constructor(api, goTo) {
    Object.assign(this, { api, goTo });
    this.dialog = byId("training");
    this.result = new Result();
    byId("train").hidden = false;
    byId("train").addEventListener("click", () => this.open());
    byId("training-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.result.pause());
    this.#update(() => api.training());
  }

  open() {
    this.dialog.showModal();
    this.#update(() => this.api.training());
  }

  /** Send a request, show the training that it returns, and ask again as long as that runs. */
  async #update(ask) {
    clearTimeout(this.#timer);
    let running = true; // as far as is known
    try {
      const training = await ask();
      running = training.outcome === "running" || training.export?.outcome === "running";
      this.#show(training);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText("training-status", `${error.message}; trying again`);
    }
    clearTimeout(this.#timer);
    if (running) this.#timer = setTimeout(() => this.#update(() => this.api.training()), this.dialog.open ? POLL.open : POLL.closed);
  }

  /** @param {import("./api.js").Training} training */
  #show(training) {
    const share = shareDone(training);
    const running = training.outcome === "running";
    byId("train").textContent = running ? `Train · ${Math.round(100 * share)} %` : training.outcome === "done" ? "Result" : "Train";
    setText("training-status", describe(training));
    byId("training-status").dataset.outcome = training.outcome;
    byId("training-progress").hidden = !running;
    byId("training-progress").value = share;
    const state = JSON.stringify(training);
    if (state === this.#shown) return;
    this.#shown = state;
    this.#showActions(training);
    byId("training-curves").replaceChildren(...training.stages.filter(({ losses }) => losses.length > 1).map(curve));
    byId("training-samples").replaceChildren(...training.samples.map((sample) => picture(sample, training.run)));
    byId("training-result").hidden = training.outcome !== "done";
    if (training.outcome !== "done") return;
    this.result.show(training.run, training.results);
    this.#showScores(training);
    this.#showSuggestions(training.suggestions);
    this.#showExport(training.export);
  }

  #showActions({ outcome }) {
    const train = (resume) => () => this.#update(() => this.api.train(resume));
    const actions = {
      none: [["Train", train(false)]],
      running: [["Stop", () => this.#update(() => this.api.stopTraining())]],
      stopped: [["Go on", train(true)], ["Start over", train(false)]],
      failed: [["Train again", train(false)], ["Go on with this run", train(true)]],
      done: [["Train again with the clicks since then", train(false)]],
    }[outcome];
    const buttons = actions.map(([label, onclick], index) =>
      element("button", label, { onclick, className: index === 0 && outcome !== "running" ? "main" : "" }),
    );
    byId("training-actions").replaceChildren(...buttons);
  }

  #showScores({ scores, measured_with }) {
    byId("training-scores").hidden = !scores.length;
    const rows = scores.map(({ name, value }) =>
      element("tr", null, {}, [element("td", name), element("td", value === null ? "–" : `${(100 * value).toFixed(1)} %`)]),
    );
    byId("training-scores").replaceChildren(element("caption", CAPTIONS[measured_with]), ...rows);
  }

  #showSuggestions(suggestions) {
    const buttons = suggestions.map(({ id, video, number }) => {
      const onclick = () => {
        this.dialog.close();
        this.goTo(id);
      };
      return element("button", `${video} ${number}`, { onclick });
    });
    const title = element("h2", "Click here next: where the network is unsure, unsteady or contradicts a click");
    byId("training-suggestions").replaceChildren(...(buttons.length ? [title, ...buttons] : []));
  }

  #showExport({ outcome, message, files }) {
    const onclick = () => this.#update(() => this.api.exportStudent());
    const texts = { none: "", running: "exporting …", done: `written: ${files.join(", ")}`, stopped: message, failed: message };
    const button = element("button", "Export to ONNX and OpenVINO", { onclick, disabled: outcome === "running" });
    byId("training-export").replaceChildren(button, element("span", texts[outcome]));
  }
}

/** @returns {string} the state in one sentence */
function describe({ outcome, run, step, message, stages, seconds_left: left }) {
  if (outcome === "none") return INTRODUCTION;
  if (outcome === "done") return `${run} is trained.`;
  if (outcome === "stopped") return `${run} is stopped${message ? `: ${message}` : "; everything is saved"}.`;
  if (outcome === "failed") return message;
  const stage = stages.findLast(({ finished }) => !finished);
  if (step !== "fit" || !stage) return `${run}: ${STEPS[step]} …`;
  if (!stage.epochs) return `${run}: building the memory …`;
  const time = left === null ? "" : ` · about ${duration(left)} left`;
  return `${run}: training the ${STAGES[stage.name]} · epoch ${stage.epoch} of ${stage.epochs}${time}`;
}

/** @returns {number} the share of the epochs of the current stage that are done, 0..1 */
function shareDone({ step, stages }) {
  if (step !== "fit") return 1;
  const stage = stages.findLast(({ epochs }) => epochs);
  return stage ? stage.epoch / stage.epochs : 0;
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function picture({ stage, name }, run) {
  const src = `/api/training/samples/${stage}/${name}?run=${encodeURIComponent(run)}`;
  return element("img", null, { src, alt: `${stage}: samples of the training`, loading: "lazy" });
}
