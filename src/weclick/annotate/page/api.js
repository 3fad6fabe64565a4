/**
 * The server's answers, and how to ask for them.
 *
 * @typedef {import("./points.js").Click} Click
 * @typedef {"todo" | "done" | "skipped"} Status
 * @typedef {{id: string, video: string, number: number, position: number, frames: number, height: number,
 *   width: number, status: Status, version: number, annotator: string, seconds: number, clicks: Click[],
 *   around: [number, string][], leased_by: string | null}} Frame
 * @typedef {{version: number, status: Status, seconds: number, clicks: Click[]}} Content
 * @typedef {{id: number, name: string, color: string, thing: boolean}} SemanticClass
 * @typedef {{name: string, version: string, classes: SemanticClass[], overlay: boolean,
 *   videos: {name: string, frames: number, first: string}[]}} Project
 * @typedef {{goal: number, done: number, skipped: number, todo: number, clicks: number, seconds: number}} Progress
 */

import { TAB } from "./tab.js";

const PATIENCE = 10_000; // milliseconds until a server that does not answer counts as gone
const KEEPALIVE_LIMIT = 60_000; // browsers let smaller bodies outlive their tab

/** An answer that is not the one asked for; `status` is 0 where there was no answer. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} [status]
   * @param {Frame | null} [frame] the stored state, with a conflict
   */
  constructor(message, status = 0, frame = null) {
    super(message);
    this.status = status;
    this.frame = frame;
  }
}

/** The server, for one tab. */
export class Api {
  /** @param {() => string} annotator gives the name to store with what is saved */
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

  /**
   * @param {string | null} after
   * @returns {Promise<Frame | null>} the next frame to do, leased to this tab; null when none is left
   */
  next(after) {
    return request("POST", "/api/next", { ...this.#who(), after });
  }

  /**
   * @param {string} id
   * @param {boolean} [orLater] or the first one after it in its video that can be shown
   * @returns {Promise<Frame>}
   */
  frame(id, orLater = false) {
    return request("GET", `${frameUrl(id)}${orLater ? "?or_later=true" : ""}`);
  }

  /**
   * @param {string} id
   * @param {Content} content
   * @returns {Promise<Frame>} once it is durable
   */
  save(id, content) {
    return request("PUT", frameUrl(id), { ...this.#who(), ...content });
  }

  /**
   * Take a frame's lease, or go on holding it.
   * @param {string} id
   */
  lease(id) {
    return request("PUT", `${frameUrl(id)}/lease`, this.#who());
  }

  /** @param {string} id */
  release(id) {
    return request("DELETE", `${frameUrl(id)}/lease`, { client: this.client });
  }

  #who() {
    return { client: this.client, annotator: this.annotator() };
  }
}

/**
 * @param {string} id
 * @param {"image" | "overlay"} [what]
 * @returns {string}
 */
export function frameUrl(id, what) {
  return `/api/frames/${encodeURIComponent(id)}${what ? `/${what}` : ""}`;
}

async function request(method, url, content) {
  const body = content && JSON.stringify(content);
  const response = await answered(url, {
    method,
    body,
    headers: body ? { "Content-Type": "application/json" } : {},
    keepalive: Boolean(body) && body.length < KEEPALIVE_LIMIT,
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const detail = typeof answer?.detail === "string" ? answer.detail : `The server answers ${response.status}`;
  throw new ApiError(detail, response.ok ? 0 : response.status, answer?.frame ?? null);
}

async function answered(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new ApiError("The server does not answer");
  }
}
