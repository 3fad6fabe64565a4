/**
 * Work that is not stored yet is kept in the browser, so that neither a crash nor a closed tab loses it.
 *
 * Entries belong to the tab that wrote them; another tab takes them over only after that tab is closed.
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
export function keepUnsaved(id, content, sent) {
  write(nameOf(id, TAB), JSON.stringify({ ...content, sent }));
}

/**
 * @param {string} id of the frame
 * @param {string} [owner] the tab that wrote it
 */
export function removeUnsaved(id, owner = TAB) {
  remove(nameOf(id, owner));
}

/**
 * @returns {Promise<{leftovers: Leftover[], unreadable: number}>} unsaved work of closed tabs, also of other data sets;
 *   and the number of unreadable entries, which are not removed
 */
export async function findLeftovers() {
  const entryNames = names().filter((name) => name.startsWith(PREFIX));
  const openTabs = entryNames.length ? await otherTabs() : new Set();
  const entries = entryNames.map(parseEntry).filter(({ owner }) => owner !== TAB && !openTabs.has(owner));
  const leftovers = entries.filter(({ id, kept }) => id && isContent(kept));
  return { leftovers, unreadable: entries.length - leftovers.length };
}

function nameOf(id, owner) {
  return `${PREFIX}${owner}.${id}`;
}

function parseEntry(name) {
  const [owner, id] = name.slice(PREFIX.length).split(".");
  try {
    return { id, owner, kept: JSON.parse(read(name)) };
  } catch {
    return { id, owner, kept: null };
  }
}

function isContent(kept) {
  const numbers = (...values) => values.every(Number.isFinite);
  const isClick = (click) => numbers(click?.x, click?.y, click?.class_id);
  return numbers(kept?.version, kept?.seconds) && Array.isArray(kept.clicks) && kept.clicks.every(isClick);
}
