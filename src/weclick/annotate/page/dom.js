/** Elements and their text. Text is never set as HTML: names of classes and files may contain anything. */

const PAUSE = 50; // milliseconds; without a pause, a screen reader does not notice that a text was set again

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * @param {string} tag
 * @param {string | null} text
 * @param {Record<string, unknown>} [properties]
 * @param {Node[]} [children]
 * @returns {HTMLElement}
 */
export function element(tag, text = null, properties = {}, children = []) {
  const created = Object.assign(document.createElement(tag), properties);
  if (text !== null) created.textContent = text;
  created.append(...children);
  return created;
}

/**
 * Set an element's text if it differs, so that screen readers do not read it again.
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Set an element's text so that screen readers read it, even if it has not changed.
 * @param {string} id
 * @param {string} text
 */
export function announce(id, text) {
  if (byId(id).textContent === text) setText(id, "");
  setTimeout(() => setText(id, text), PAUSE);
}
