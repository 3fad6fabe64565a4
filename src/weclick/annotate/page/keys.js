/** All key bindings of the page, used both for handling keys and for the help. */

/**
 * @typedef {{command: string, keys: string[], shown: string[], description: string, group: string}} Binding
 * `keys` as `chords` returns them; `shown` as the help shows them.
 */

/** @type {Binding[]} */
export const BINDINGS = [
  bind("View", "zoomIn", ["+", "="], ["+"], "zoom in"),
  bind("View", "zoomOut", ["-"], ["−"], "zoom out"),
  bind("View", "fit", ["f"], ["F"], "show the whole frame"),
  bind("View", "overlay", ["o"], ["O"], "show or hide the student’s prediction"),
  bind("View", "preview", ["v"], ["V"], "show or hide what your points mean"),
  bind("View", "fainter", ["["], ["["], "overlay fainter"),
  bind("View", "stronger", ["]"], ["]"], "overlay stronger"),
  bind("View", "help", ["?"], ["?"], "this help"),
  bind("Frames", "accept", ["Enter"], ["Enter"], "the overlay is right: accept it as label, go to the next frame"),
  bind("Frames", "done", ["n"], ["N"], "every object has a point: done, go to the next frame"),
  bind("Frames", "answer", ["x"], ["X"], "answer the first question beside the frame"),
  bind("Frames", "unsure", ["u"], ["U"], "go to the frame to do that the preview is most unsure of"),
  bind("Frames", "skip", ["s"], ["S"], "skip, go to the next frame to do"),
  bind("Frames", "back", ["p"], ["P"], "back to the frame finished last"),
  bind("Frames", "reopen", ["t"], ["T"], "mark this frame as to do"),
  bind("Frames", "play", [" "], ["hold Space"], "play the second around this frame"),
  bind("Frames", "left", ["ArrowLeft"], ["←"], "previous frame"),
  bind("Frames", "right", ["ArrowRight"], ["→"], "next frame"),
  bind("Frames", "up", ["ArrowUp", "Shift+ArrowLeft"], ["↑"], "ten frames back"),
  bind("Frames", "down", ["ArrowDown", "Shift+ArrowRight"], ["↓"], "ten frames forward"),
  bind("Frames", "previousVideo", ["PageUp"], ["Page ↑"], "previous video"),
  bind("Frames", "nextVideo", ["PageDown"], ["Page ↓"], "next video"),
  bind("Points", "undo", ["Ctrl+z"], ["Ctrl Z"], "undo"),
  bind("Points", "redo", ["Ctrl+Shift+z", "Ctrl+y"], ["Ctrl Y"], "redo"),
  bind("Points", "remove", ["Delete", "Backspace"], ["Del"], "remove the point nearest to the cursor"),
  bind("Points", "changeClass", ["c"], ["C"], "give the nearest point the current class"),
  bind("Points", "unknown", ["q"], ["Q"], "choose “unknown”: for what belongs to no class; it is not trained from"),
  bind("Points", "find", ["/"], ["/"], "find a class by name"),
  bind("Without a mouse", "move", arrows("Alt+"), ["Alt ←↑↓→"], "move the crosshair"),
  bind("Without a mouse", "moveFar", arrows("Alt+Shift+"), ["Alt Shift ←↑↓→"], "move it faster"),
  bind("Without a mouse", "add", ["."], ["."], "add a point at the crosshair"),
];

/** Mouse and touch gestures, for the help. */
export const GESTURES = [
  { mouse: "click", touch: "tap", description: "add a point of the current class" },
  { mouse: "drag a point", touch: "drag it", description: "move it" },
  { mouse: "click a point", touch: "tap it", description: "give it the current class" },
  { mouse: "right click", touch: "long press", description: "remove the point there" },
  { mouse: "wheel", touch: "pinch", description: "zoom" },
  { mouse: "middle or Shift drag", touch: "drag", description: "move the picture" },
];

const COMMANDS = new Map(BINDINGS.flatMap(({ command, keys }) => keys.map((key) => [key, command])));

/** Keys that are free for classes, in the order of class ids. */
const CLASS_KEYS = [..."1234567890abcdefghijklmnopqrstuvwxyz"].filter((key) => !COMMANDS.has(key));

/**
 * @param {number} classId
 * @returns {string | null} the key that chooses a class; null if there are more classes than keys
 */
export function classKey(classId) {
  return CLASS_KEYS[classId] ?? null;
}

/**
 * @param {KeyboardEvent} event
 * @param {number} classes number of classes
 * @returns {{command: string} | {classId: number} | null} the command or the class of this key
 */
export function findBinding(event, classes) {
  for (const chord of chords(event)) {
    const classId = CLASS_KEYS.indexOf(chord);
    if (COMMANDS.has(chord)) return { command: COMMANDS.get(chord) };
    if (classId >= 0 && classId < classes) return { classId };
  }
  return null;
}

/**
 * The names of a key press: the typed character; if that is not a Latin letter or digit, also the position of the key,
 * so that bindings work with other scripts.
 * @param {KeyboardEvent} event
 * @returns {string[]}
 */
export function chords(event) {
  const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSymbol = typed.length === 1 && typed.toUpperCase() === typed; // whether it needs Shift depends on the layout
  const modifiers = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "");
  const shift = event.shiftKey ? "Shift+" : "";
  const position = /^[a-z0-9]$/.test(typed) ? null : /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase();
  return [modifiers + (isSymbol ? "" : shift) + typed, ...(position ? [modifiers + shift + position] : [])];
}

function bind(group, command, keys, shown, description) {
  return { group, command, keys, shown, description };
}

function arrows(modifiers) {
  return ["Left", "Up", "Down", "Right"].map((side) => `${modifiers}Arrow${side}`);
}
