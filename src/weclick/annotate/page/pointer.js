/**
 * Mouse, pen and fingers on the canvas, turned into what they mean.
 *
 * A mouse sets its point when the button goes down, and drags it on while it is held: no click is lost to a hand that
 * trembles. A finger sets its point when it is lifted, since until then it may become a drag, a pinch or a long press.
 */

const GRAB = { mouse: 10, pen: 12, touch: 24 }; // pixels between a pointer and the point it takes
const REACH = 3; // times the above: how far a right click looks for the point to remove
const STILL = { mouse: 3, pen: 5, touch: 10 }; // pixels a pointer may tremble
const LONG_PRESS = 500; // milliseconds
const WHEEL_HALVES = 400; // wheel units for half or double the size
const PINCH_HALVES = 60; // a touchpad's pinch arrives as a finer wheel with Ctrl
const LINE = 33; // wheel units in a line

/**
 * @typedef {{x: number, y: number}} Point
 * @typedef {object} Hand what to do about them; all positions in the window
 * @property {(at: Point | null) => void} hover the mouse is here, or gone
 * @property {(at: Point, within: number) => boolean} take take hold of the point here, if there is one
 * @property {(at: Point) => boolean} add add a point and hold it; false outside of the picture
 * @property {(at: Point) => void} drag move the held point
 * @property {(moved: boolean) => void} drop let go of it
 * @property {() => void} choose give the held point the current class, and let go
 * @property {(at: Point, within?: number) => void} remove remove the nearest point
 * @property {(by: Point) => void} pan
 * @property {(at: Point, factor: number) => void} zoom
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Hand} hand
 */
export function watch(canvas, hand) {
  const gestures = new Gestures(hand);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    event.preventDefault();
    gestures.down(event);
  });
  canvas.addEventListener("pointermove", (event) => gestures.move(event));
  canvas.addEventListener("pointerup", (event) => gestures.up(event));
  canvas.addEventListener("pointercancel", (event) => gestures.cancel(event));
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && hand.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => wheel(event, hand), { passive: false });
  watchTrackpad(canvas, gestures);
}

/** Safari tells of a trackpad's pinch in events of its own; of fingers on a screen, too, which are pointers already. */
function watchTrackpad(canvas, gestures) {
  let scale = 1;
  canvas.addEventListener("gesturestart", (event) => {
    event.preventDefault();
    scale = event.scale;
  });
  canvas.addEventListener("gesturechange", (event) => {
    event.preventDefault();
    if (!gestures.touching) gestures.hand.zoom(place(event), event.scale / scale);
    scale = event.scale;
  });
}

function wheel(event, hand) {
  event.preventDefault();
  const units = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
  const turned = Math.min(Math.max(units, -WHEEL_HALVES), WHEEL_HALVES);
  hand.zoom(place(event), 2 ** (-turned / (event.ctrlKey ? PINCH_HALVES : WHEEL_HALVES)));
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

  /** @param {Hand} hand */
  constructor(hand) {
    this.hand = hand;
  }

  get touching() {
    return this.#pointers.size > 0;
  }

  down(event) {
    const at = place(event);
    const first = this.#pointers.size === 0;
    this.#pointers.set(event.pointerId, at);
    if (!first) return this.#pinch();
    this.#begin(at, event.pointerType);
    if (event.pointerType === "touch") return this.#finger(at);
    const secondary = event.button === 2 || (event.button === 0 && event.ctrlKey); // Ctrl: the right click of a Mac
    if (secondary) return this.hand.remove(at, REACH * (GRAB[this.#type] ?? GRAB.mouse));
    if (event.button === 1 || event.shiftKey) this.#kind = "pan";
    else if (event.button === 0) this.#press(at);
  }

  move(event) {
    const at = place(event);
    const before = this.#pointers.get(event.pointerId);
    if (event.pointerType !== "touch") this.hand.hover(at);
    if (!before) return;
    if (this.#kind === "pinch") this.#spread(event.pointerId, at);
    this.#pointers.set(event.pointerId, at);
    if (this.#kind === "pinch" || this.#trembles(at)) return;
    clearTimeout(this.#timer);
    if (this.#kind === "finger") this.#kind = this.#held ? "point" : "pan";
    if (this.#kind === "point") this.hand.drag(at);
    if (this.#kind === "pan") this.hand.pan({ x: at.x - before.x, y: at.y - before.y });
  }

  up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    clearTimeout(this.#timer);
    if (this.#kind === "finger" && !this.#held && this.hand.add(this.#start)) this.hand.drop(false);
    else if (this.#held && !this.#moved && !this.#fresh) this.hand.choose();
    else if (this.#held) this.hand.drop(this.#moved);
    this.#held = false;
    this.#kind = this.#pointers.size ? "pan" : null; // the finger left of a pinch adds nothing
  }

  cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#letGo();
    this.#kind = null;
  }

  #begin(at, type) {
    this.#start = at;
    this.#type = type;
    this.#moved = this.#held = this.#fresh = false;
    this.#kind = null;
  }

  #press(at) {
    this.#held = this.hand.take(at, GRAB[this.#type] ?? GRAB.mouse);
    if (!this.#held) this.#held = this.#fresh = this.hand.add(at);
    this.#kind = this.#held ? "point" : "pan"; // beside the picture there is nothing to click
  }

  #finger(at) {
    this.#kind = "finger";
    this.#held = this.hand.take(at, GRAB.touch);
    this.#timer = setTimeout(() => {
      if (!this.#held) return;
      this.#letGo();
      this.#kind = null;
      this.hand.remove(at, GRAB.touch);
    }, LONG_PRESS);
  }

  #pinch() {
    this.#letGo();
    this.#kind = "pinch";
    this.#moved = true;
  }

  #spread(id, at) {
    const [[, other]] = [...this.#pointers].filter(([key]) => key !== id);
    const before = this.#pointers.get(id);
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    this.hand.pan({ x: (at.x - before.x) / 2, y: (at.y - before.y) / 2 });
    this.hand.zoom(middle, distance(at, other) / Math.max(distance(before, other), 1));
  }

  #trembles(at) {
    this.#moved ||= distance(at, this.#start) > (STILL[this.#type] ?? STILL.mouse);
    return !this.#moved;
  }

  #letGo() {
    clearTimeout(this.#timer);
    if (this.#held) this.hand.drop(false);
    this.#held = false;
  }
}

function place(event) {
  return { x: event.clientX, y: event.clientY };
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
