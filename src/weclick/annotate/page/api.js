/**
 * Requests to the server, and the types of its responses.
 *
 * @typedef {import("./points.js").Click} Click
 * @typedef {"todo" | "done" | "skipped"} Status
 * @typedef {{id: string, video: string, number: number, position: number, frames: number, height: number,
 *   width: number, status: Status, version: number, annotator: string, seconds: number, clicks: Click[],
 *   around: [number, string][], leased_by: string | null, accepted: boolean, answers: Answer[] | null}} Frame
 * @typedef {{class_id: number, present: boolean | null}} Answer whether a class is in the frame; null: asked, not answered
 * @typedef {{version: number, status: Status, seconds: number, clicks: Click[], accept: boolean,
 *   answers: Answer[] | null}} Content `answers` sorted by class, null if nobody was asked
 * @typedef {{id: number, name: string, color: string, thing: boolean}} SemanticClass
 * @typedef {{name: string, version: string, classes: SemanticClass[], overlay: boolean, preview: boolean,
 *   training: boolean, videos: {name: string, frames: number, first: string}[]}} Project
 * @typedef {{name: string, finished: boolean, epoch: number, epochs: number, losses: number[], mious: number[]}} Stage
 * @typedef {"none" | "running" | "done" | "stopped" | "failed"} Outcome
 * @typedef {{outcome: Outcome, run: string, step: string, message: string, stages: Stage[], seconds_left: number | null,
 *   samples: {stage: string, name: string}[], results: string[], scores: {name: string, value: number | null}[],
 *   measured_with: "masks" | "clicks", suggestions: {id: string, video: string, number: number}[],
 *   export: {outcome: Outcome, message: string, files: string[]} | null}} Training
 * @typedef {{frames: {id: string, video: string, number: number, unsure: number}[], changed: number | null,
 *   clicks: number}} Surveyed the frames to do, the most unsure first; the share of them that the last clicks changed
 * @typedef {{goal: number, done: number, skipped: number, todo: number, clicks: number, seconds: number,
 *   class_clicks: number[]}} Progress
 */

import { TAB } from "./tab.js";

const TIMEOUT = 10_000; // milliseconds
const PREVIEW_TIMEOUT = 120_000; // the first one waits until its process has started
const KEEPALIVE_LIMIT = 60_000; // bytes; browsers finish requests with smaller bodies after the tab is closed

/** A failed request; `status` is 0 if there was no valid response. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} [status]
   * @param {Frame | null} [frame] for a conflict: the stored state
   */
  constructor(message, status = 0, frame = null) {
    super(message);
    this.status = status;
    this.frame = frame;
  }
}

/** The API of the server, used by one tab. */
export class Api {
  /** @param {() => string} annotator returns the name to store with changes */
  constructor(annotator) {
    this.client = TAB;
    this.annotator = annotator;
  }

  /** @returns {Promise<Project>} */
  project() {
    return request("GET", "/api/project");
  }

  /** @returns {Promise<Progress>} */
  progress() {
    return request("GET", "/api/progress");
  }

  /** @returns {Promise<Surveyed>} */
  survey() {
    return request("GET", "/api/survey");
  }

  /**
   * @param {string | null} after
   * @returns {Promise<Frame | null>} the next frame to do, leased to this tab; null if none is left
   */
  next(after) {
    return request("POST", "/api/next", { ...this.#sender(), after });
  }

  /**
   * @param {string} id
   * @param {boolean} [orLater] return the first readable frame from this one on in its video
   * @returns {Promise<Frame>}
   */
  frame(id, orLater = false) {
    return request("GET", `${frameUrl(id)}${orLater ? "?or_later=true" : ""}`);
  }

  /**
   * @param {string} video
   * @param {number} position
   * @returns {Promise<Frame>} the frame there, or the first readable one after it
   */
  frameAt(video, position) {
    return request("GET", `/api/frames?${new URLSearchParams({ video, position })}`);
  }

  /**
   * @param {string} id
   * @param {Content} content
   * @returns {Promise<Frame>} the stored frame, once it is on disk
   */
  save(id, content) {
    return request("PUT", frameUrl(id), { ...this.#sender(), ...content });
  }

  /**
   * Lease a frame, or renew its lease.
   * @param {string} id
   */
  lease(id) {
    return request("PUT", `${frameUrl(id)}/lease`, this.#sender());
  }

  /** @param {string} id */
  release(id) {
    return request("DELETE", `${frameUrl(id)}/lease`, { client: this.client });
  }

  /**
   * @param {string} id
   * @param {Click[]} clicks as they are in the page
   * @param {number[]} absent classes that are not there
   * @returns {Promise<{image: ImageBitmap, seen: number[]} | null>} what they mean, and the classes in it; null before the first
   *   click of all
   */
  async preview(id, clicks, absent) {
    const content = { client: this.client, clicks, absent };
    const response = await fetchJson("POST", frameUrl(id, "preview"), content, { timeout: PREVIEW_TIMEOUT });
    if (response.status === 204) return null;
    if (response.ok) {
      const seen = response.headers.get("X-Seen-Classes").split(",").filter(Boolean).map(Number);
      return { image: await createImageBitmap(await response.blob()), seen };
    }
    throw new ApiError((await response.json().catch(() => null))?.detail ?? "no preview", response.status);
  }

  /** @returns {Promise<Training>} the latest training */
  training() {
    return request("GET", "/api/training");
  }

  /**
   * @param {boolean} resume go on with a training that was stopped or failed
   * @returns {Promise<Training>}
   */
  train(resume) {
    return request("POST", "/api/training", { resume });
  }

  /** @returns {Promise<Training>} */
  stopTraining() {
    return request("DELETE", "/api/training", {});
  }

  /** @returns {Promise<Training>} */
  exportStudent() {
    return request("POST", "/api/training/export", {});
  }

  #sender() {
    return { client: this.client, annotator: this.annotator() };
  }
}

/**
 * @param {string} id
 * @param {"image" | "overlay" | "preview"} [what]
 * @returns {string}
 */
export function frameUrl(id, what) {
  return `/api/frames/${encodeURIComponent(id)}${what ? `/${what}` : ""}`;
}

export async function request(method, url, content) {
  // keepalive: browsers finish these after the tab is closed, within a quota that previews must not use up
  const response = await fetchJson(method, url, content, { timeout: TIMEOUT, keepalive: true });
  if (response.status === 204) return null;
  const result = await response.json().catch(() => null);
  if (response.ok && result) return result;
  const unknown = `the server responded with status ${response.status}`;
  const detail = typeof result?.detail === "string" ? result.detail : unknown;
  throw new ApiError(detail, response.ok ? 0 : response.status, result?.frame ?? null);
}

async function fetchJson(method, url, content, { timeout, keepalive = false }) {
  const body = content && JSON.stringify(content);
  const options = {
    method,
    body,
    headers: body ? { "Content-Type": "application/json" } : {},
    keepalive: keepalive && Boolean(body) && body.length < KEEPALIVE_LIMIT,
    signal: AbortSignal.timeout(timeout),
  };
  return fetch(url, options).catch(() => {
    throw new ApiError("server unreachable");
  });
}
