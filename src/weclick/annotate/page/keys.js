/** Every key of the page, once: the help shows this table, and a press is looked up in it. */

/**
 * @typedef {{command: string, keys: string[], shown: string[], does: string, group: string}} Binding
 * `keys` as `chords` spells them; `shown` as a person reads them.
 */

/** @type {Binding[]} */
export const BINDINGS = [
  bind("View", "zoomIn", ["+", "="], ["+"], "closer"),
  bind("View", "zoomOut", ["-"], ["−"], "farther"),
  bind("View", "fit", ["f"], ["F"], "whole frame"),
  bind("View", "overlay", ["o"], ["O"], "the student’s prediction, on or off"),
  bind("View", "help", ["?"], ["?"], "this help"),
  bind("Frames", "done", ["n", "Enter"], ["N", "Enter"], "done, on to the next frame to do"),
  bind("Frames", "skip", ["s"], ["S"], "skip this frame, on to the next"),
  bind("Frames", "back", ["p"], ["P"], "back to the frame finished last"),
  bind("Frames", "reopen", ["t"], ["T"], "set this frame to do again"),
  bind("Frames", "play", [" "], ["hold Space"], "play the second around this frame"),
  bind("Frames", "left", ["ArrowLeft"], ["←"], "one frame back"),
  bind("Frames", "right", ["ArrowRight"], ["→"], "one frame on"),
  bind("Frames", "up", ["ArrowUp", "Shift+ArrowLeft"], ["↑"], "ten frames back"),
  bind("Frames", "down", ["ArrowDown", "Shift+ArrowRight"], ["↓"], "ten frames on"),
  bind("Frames", "videoBefore", ["PageUp"], ["Page ↑"], "the video before"),
  bind("Frames", "videoAfter", ["PageDown"], ["Page ↓"], "the video after"),
  bind("Points", "undo", ["Ctrl+z"], ["Ctrl Z"], "undo, as often as you like"),
  bind("Points", "redo", ["Ctrl+Shift+z", "Ctrl+y"], ["Ctrl Y"], "redo"),
  bind("Points", "remove", ["Delete", "Backspace"], ["Del"], "remove the point nearest to the cursor"),
  bind("Points", "reclass", ["c"], ["C"], "give the nearest point the current class"),
  bind("Points", "find", ["/"], ["/"], "find a class by name"),
  bind("Without a mouse", "move", moves("Alt+"), ["Alt ←↑↓→"], "move the crosshair"),
  bind("Without a mouse", "moveFar", moves("Alt+Shift+"), ["Alt Shift ←↑↓→"], "the same, faster"),
  bind("Without a mouse", "place", ["."], ["."], "a point at the crosshair"),
];

/** What mouse and fingers do, for the help. */
export const GESTURES = [
  { mouse: "click", touch: "tap", does: "a point of the current class" },
  { mouse: "drag a point", touch: "drag it", does: "move it" },
  { mouse: "click a point", touch: "tap it", does: "give it the current class" },
  { mouse: "right click", touch: "long press", does: "remove the point there" },
  { mouse: "wheel", touch: "pinch", does: "zoom" },
  { mouse: "middle or Shift drag", touch: "drag", does: "move the picture" },
];

const COMMANDS = new Map(BINDINGS.flatMap(({ command, keys }) => keys.map((key) => [key, command])));

/** Keys left for classes, in the order they are given out. */
const CLASS_KEYS = [..."1234567890abcdefghijklmnopqrstuvwxyz"].filter((key) => !COMMANDS.has(key));

/**
 * @param {number} classId
 * @returns {string | null} the key that chooses a class; null when there are no more
 */
export function classKey(classId) {
  return CLASS_KEYS[classId] ?? null;
}

/**
 * @param {KeyboardEvent} event
 * @param {number} classes how many classes there are
 * @returns {{command: string} | {classId: number} | null} what the press asks for
 */
export function lookUp(event, classes) {
  for (const chord of chords(event)) {
    const classId = CLASS_KEYS.indexOf(chord);
    if (COMMANDS.has(chord)) return { command: COMMANDS.get(chord) };
    if (classId >= 0 && classId < classes) return { classId };
  }
  return null;
}

/**
 * How a press is spelled: what it types; where that is no Latin letter or digit, then also where the key lies.
 * @param {KeyboardEvent} event
 * @returns {string[]}
 */
export function chords(event) {
  const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSign = typed.length === 1 && typed.toUpperCase() === typed; // Shift is only how this layout reaches it
  const modifiers = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "");
  const shift = event.shiftKey ? "Shift+" : "";
  const place = /^[a-z0-9]$/.test(typed) ? null : /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase();
  return [modifiers + (isSign ? "" : shift) + typed, ...(place ? [modifiers + shift + place] : [])];
}

function bind(group, command, keys, shown, does) {
  return { group, command, keys, shown, does };
}

function moves(modifiers) {
  return ["Left", "Up", "Down", "Right"].map((side) => `${modifiers}Arrow${side}`);
}
