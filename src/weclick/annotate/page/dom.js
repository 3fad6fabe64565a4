/** Elements with text in them. Names of classes and files are anybody's text: they get here as text, never as HTML. */

const PAUSE = 50; // milliseconds; without one, a text that goes and comes back has not changed

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
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

/**
 * Set an element's text, if it is another: what does not change is not read out again.
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Set the text of an element that is read out, so that a text which stands there already is read once more.
 * @param {string} id
 * @param {string} text
 */
export function announce(id, text) {
  if (byId(id).textContent === text) setText(id, "");
  setTimeout(() => setText(id, text), PAUSE);
}
