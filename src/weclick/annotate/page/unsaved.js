/**
 * Work that the server has not stored yet, kept in the browser as well: neither a crash nor a closed tab loses it.
 *
 * Each tab keeps its own: another one takes it over only when that tab is gone.
 *
 * @typedef {import("./api.js").Content} Content
 * @typedef {Content & {sent?: Content}} Kept `sent` is an earlier state, which may have been stored
 * @typedef {{id: string, owner: string, kept: Kept}} Leftover
 */

import { names, read, remove, write } from "./storage.js";
import { otherTabs, TAB } from "./tab.js";

const PREFIX = "unsaved-";

/**
 * @param {string} id of the frame
 * @param {Content} content
 * @param {Content} [sent]
 */
export function keep(id, content, sent) {
  write(nameOf(id, TAB), JSON.stringify({ ...content, sent }));
}

/**
 * @param {string} id of the frame
 * @param {string} [owner] the tab that kept it
 */
export function forget(id, owner = TAB) {
  remove(nameOf(id, owner));
}

/**
 * @returns {Promise<{leftovers: Leftover[], unreadable: number}>} what tabs that are gone could not store, of this data
 *   set or another one; and how much of it cannot be read, which stays where it is
 */
export async function findLeftovers() {
  const kept = names().filter((name) => name.startsWith(PREFIX));
  const open = kept.length ? await otherTabs() : new Set();
  const left = kept.map(parsed).filter(({ owner }) => owner !== TAB && !open.has(owner));
  const leftovers = left.filter(({ id, kept }) => id && isContent(kept));
  return { leftovers, unreadable: left.length - leftovers.length };
}

function nameOf(id, owner) {
  return `${PREFIX}${owner}.${id}`;
}

function parsed(name) {
  const [owner, id] = name.slice(PREFIX.length).split(".");
  return { id, owner, kept: parsedText(read(name)) };
}

function parsedText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isContent(kept) {
  const numbers = (...values) => values.every(Number.isFinite);
  const isClick = (click) => numbers(click?.x, click?.y, click?.class_id);
  return numbers(kept?.version, kept?.seconds) && Array.isArray(kept.clicks) && kept.clicks.every(isClick);
}
