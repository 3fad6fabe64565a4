/**
 * Work that the server has not stored yet, kept in the browser as well: neither a crash nor a closed tab loses it.
 *
 * @typedef {import("./api.js").Content} Content
 */

import { names, read, remove, write } from "./storage.js";

const PREFIX = "unsaved-";

/**
 * @param {string} id of the frame
 * @param {Content} content
 */
export function keep(id, content) {
  write(PREFIX + id, JSON.stringify(content));
}

/** @param {string} id */
export function forget(id) {
  remove(PREFIX + id);
}

/** @returns {[string, Content][]} what earlier visits could not store; of this data set or another one */
export function leftovers() {
  const kept = names().filter((name) => name.startsWith(PREFIX));
  return kept.map((name) => [name.slice(PREFIX.length), JSON.parse(read(name))]);
}
