/**
 * Recognises gestures of mouse, pen and fingers on the canvas, and calls the editor.
 *
 * A mouse adds its point when the button is pressed, and drags it while the button is held, so that a small movement
 * does not lose a click. A finger adds its point when it is lifted: until then, the touch may become a drag, a pinch or
 * a long press.
 */

const GRAB_DISTANCE = { mouse: 10, pen: 12, touch: 24 }; // pixels between a pointer and the point it takes
const REMOVE_FACTOR = 3; // a right click removes a point within this multiple of the distance above
const MIN_MOVE = { mouse: 3, pen: 5, touch: 10 }; // pixels from which a movement is a drag
const LONG_PRESS = 500; // milliseconds
const WHEEL_HALVES = 400; // wheel units for half or double the size
const PINCH_HALVES = 60; // the same for a touchpad's pinch, which arrives as wheel events with Ctrl
const LINE = 33; // wheel units per line

/**
 * @typedef {{x: number, y: number}} Point a position in the window
 * @typedef {object} Target the editor
 * @property {(at: Point | null) => void} hover the mouse is here, or has left
 * @property {(at: Point, within: number) => boolean} take hold the nearest point; false if there is none
 * @property {(at: Point) => boolean} add add a point and hold it; false outside of the picture
 * @property {(at: Point) => void} drag move the held point
 * @property {(moved: boolean) => void} drop stop holding it
 * @property {() => void} choose give the held point the current class, and drop it
 * @property {(at: Point, within?: number) => void} remove remove the nearest point
 * @property {(by: Point) => void} pan
 * @property {(factor: number, at: Point) => void} zoomBy
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Target} editor
 */
export function watchPointers(canvas, editor) {
  const gestures = new Gestures(editor);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    event.preventDefault();
    gestures.down(event);
  });
  canvas.addEventListener("pointermove", (event) => gestures.move(event));
  canvas.addEventListener("pointerup", (event) => gestures.up(event));
  canvas.addEventListener("pointercancel", (event) => gestures.cancel(event));
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && editor.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => wheel(event, editor), { passive: false });
  watchTrackpad(canvas, gestures);
}

/** Safari sends gesture events for a pinch, both on a trackpad and on a touch screen, where pointer events suffice. */
function watchTrackpad(canvas, gestures) {
  let scale = 1;
  canvas.addEventListener("gesturestart", (event) => {
    event.preventDefault();
    scale = event.scale;
  });
  canvas.addEventListener("gesturechange", (event) => {
    event.preventDefault();
    if (!gestures.touching) gestures.editor.zoomBy(event.scale / scale, positionOf(event));
    scale = event.scale;
  });
}

function wheel(event, editor) {
  event.preventDefault();
  const units = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
  const limited = Math.min(Math.max(units, -WHEEL_HALVES), WHEEL_HALVES);
  editor.zoomBy(2 ** (-limited / (event.ctrlKey ? PINCH_HALVES : WHEEL_HALVES)), positionOf(event));
}

class Gestures {
  #pointers = new Map(); // id -> latest position
  #kind = null; // "point", "pan", "finger", "pinch"
  #start = null;
  #type = "mouse";
  #moved = false;
  #held = false;
  #fresh = false;
  #timer = null;

  /** @param {Target} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get touching() {
    return this.#pointers.size > 0;
  }

  down(event) {
    const at = positionOf(event);
    const first = this.#pointers.size === 0;
    this.#pointers.set(event.pointerId, at);
    if (!first) return this.#pinch();
    this.#begin(at, event.pointerType);
    if (event.pointerType === "touch") return this.#touch(at);
    const secondary = event.button === 2 || (event.button === 0 && event.ctrlKey); // Ctrl: the right click of a Mac
    if (secondary) return this.editor.remove(at, REMOVE_FACTOR * this.#grabDistance);
    if (event.button === 1 || event.shiftKey) this.#kind = "pan";
    else if (event.button === 0) this.#press(at);
  }

  move(event) {
    const at = positionOf(event);
    const before = this.#pointers.get(event.pointerId);
    if (event.pointerType !== "touch") this.editor.hover(at);
    if (!before) return;
    if (this.#kind === "pinch") this.#zoom(event.pointerId, at);
    this.#pointers.set(event.pointerId, at);
    if (this.#kind === "pinch" || !this.#hasMoved(at)) return;
    clearTimeout(this.#timer);
    if (this.#kind === "finger") this.#kind = this.#held ? "point" : "pan";
    if (this.#kind === "point") this.editor.drag(at);
    if (this.#kind === "pan") this.editor.pan({ x: at.x - before.x, y: at.y - before.y });
  }

  up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    clearTimeout(this.#timer);
    if (this.#kind === "finger" && !this.#held && this.editor.add(this.#start)) this.editor.drop(false);
    else if (this.#held && !this.#moved && !this.#fresh) this.editor.choose();
    else if (this.#held) this.editor.drop(this.#moved);
    this.#held = false;
    this.#kind = this.#pointers.size ? "pan" : null; // the second finger of a pinch must not add a point
  }

  cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#drop();
    this.#kind = null;
  }

  #begin(at, type) {
    this.#start = at;
    this.#type = type;
    this.#moved = this.#held = this.#fresh = false;
    this.#kind = null;
  }

  get #grabDistance() {
    return GRAB_DISTANCE[this.#type] ?? GRAB_DISTANCE.mouse;
  }

  #press(at) {
    this.#held = this.editor.take(at, this.#grabDistance);
    if (!this.#held) this.#held = this.#fresh = this.editor.add(at);
    this.#kind = this.#held ? "point" : "pan"; // outside of the picture, a drag moves it
  }

  #touch(at) {
    this.#kind = "finger";
    this.#held = this.editor.take(at, GRAB_DISTANCE.touch);
    this.#timer = setTimeout(() => {
      if (!this.#held) return;
      this.#drop();
      this.#kind = null;
      this.editor.remove(at, GRAB_DISTANCE.touch);
    }, LONG_PRESS);
  }

  #pinch() {
    this.#drop();
    this.#kind = "pinch";
    this.#moved = true;
  }

  #zoom(id, at) {
    const [[, other]] = [...this.#pointers].filter(([key]) => key !== id);
    const before = this.#pointers.get(id);
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    this.editor.pan({ x: (at.x - before.x) / 2, y: (at.y - before.y) / 2 });
    this.editor.zoomBy(distance(at, other) / Math.max(distance(before, other), 1), middle);
  }

  #hasMoved(at) {
    this.#moved ||= distance(at, this.#start) > (MIN_MOVE[this.#type] ?? MIN_MOVE.mouse);
    return this.#moved;
  }

  #drop() {
    clearTimeout(this.#timer);
    if (this.#held) this.editor.drop(false);
    this.#held = false;
  }
}

function positionOf(event) {
  return { x: event.clientX, y: event.clientY };
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
