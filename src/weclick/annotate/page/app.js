/** The parts of the page, put together: what each command does, and who is told of what. */

import { frameUrl } from "./api.js";
import { Desk } from "./desk.js";
import { byId } from "./dom.js";
import { Editor } from "./editor.js";
import { knowsHelp, makeHelp, showHelp } from "./help.js";
import { looksOf } from "./looks.js";
import { Notices, obstacle } from "./notices.js";
import { Panel } from "./panel.js";
import { Pictures, Player } from "./pictures.js";
import { Saver } from "./saver.js";
import { findLeftovers } from "./unsaved.js";

const ZOOM_STEP = Math.SQRT2;
const STEP = 6; // pixels the crosshair moves
const FAR_STEP = 48;
const PROGRESS_DELAY = 300; // milliseconds: one question after a burst of clicks
const OVERLAY_DELAY = 300; // milliseconds on a frame: who only passes by needs no prediction
const PATIENCE = { picture: 20, overlay: 120 }; // seconds; a prediction is computed first
const SIDES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class App {
  #overlayOn = false;
  #emptyAccepted = null; // id of a frame that was called done without a point, once
  #saidFailure = null;
  #progressTimer = null;
  #overlayTimer = null;
  #overlayAsked = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./api.js").Project} project
   */
  constructor(api, project) {
    this.api = api;
    const looks = looksOf(project.classes);
    const pictures = new Pictures((id) => frameUrl(id, "image"), PATIENCE.picture);
    this.overlays = new Pictures((id) => frameUrl(id, "overlay"), PATIENCE.overlay);
    this.player = new Player(pictures, (image, offset) => this.#playing(image, offset));
    this.panel = new Panel(looks, (id) => this.chooseClass(id));
    this.editor = new Editor(byId("canvas"), looks, this.#editorListeners());
    this.saver = this.#makeSaver();
    this.desk = new Desk({ api, pictures, saver: this.saver, videos: project.videos, now, ...this.#deskListeners() });
    this.notices = new Notices(this.desk, this.saver);
    this.commands = this.#makeCommands();
    makeHelp(project);
    byId("actions").querySelector("[data-command=overlay]").hidden = !project.overlay;
  }

  /** @param {string | null} id frame to begin with */
  async begin(id) {
    const { leftovers, unreadable } = await findLeftovers();
    const resumed = await this.desk.resume(leftovers);
    this.#saverChanged();
    await this.desk.begin(id);
    if (unreadable) this.panel.say("Something kept here by an earlier visit cannot be read; it is left as it is.");
    else if (resumed) this.panel.say("What could not be stored when this page was last open is being stored now.");
    else if (!knowsHelp()) this.panel.say("Choose a class, then click each of its objects once. ? explains everything.");
  }

  /**
   * @param {string} command
   * @param {KeyboardEvent} [event]
   */
  run(command, event) {
    if (this.desk.work || command === "help") this.commands[command](event);
  }

  /** @param {number} id */
  chooseClass(id) {
    this.editor.current = id;
    this.panel.reveal(id);
    this.editor.redraw();
    this.#render();
  }

  togglePlay() {
    if (this.player.playing) this.player.stop();
    else this.run("play");
  }

  /** Somebody is here. */
  noteActivity() {
    this.desk.work?.clock.note(now());
  }

  /** @param {boolean} hidden whether the tab cannot be seen */
  tabHidden(hidden) {
    this.player.stop();
    const { work } = this.desk;
    if (!work) return;
    if (hidden) return work.clock.stop(now());
    work.clock.start(now());
    this.desk.refresh(); // its lease may have ended meanwhile
  }

  /** Another tab opens: before that one takes a frame, this one takes its own again, should its lease have ended. */
  claim() {
    this.desk.beat();
    this.saver.hurry();
  }

  /** Let others have the frame. */
  leave() {
    if (this.desk.work?.leasedBy === null) this.api.release(this.desk.work.id).catch(() => null);
  }

  #makeCommands() {
    const { desk, editor, player, panel } = this;
    return {
      done: () => this.#done(),
      skip: () => desk.finish("skipped"),
      reopen: () => this.#reopen(),
      back: () => desk.back(),
      left: () => desk.step(-1),
      right: () => desk.step(1),
      up: () => desk.step(-10),
      down: () => desk.step(10),
      videoBefore: () => desk.jump(-1),
      videoAfter: () => desk.jump(1),
      play: () => player.start(desk.work.frame.around),
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      remove: () => editor.removeNearest(),
      reclass: () => editor.reclassNearest(),
      place: () => editor.place(),
      move: ({ key }) => this.#moveCrosshair(key, STEP),
      moveFar: ({ key }) => this.#moveCrosshair(key, FAR_STEP),
      zoomIn: () => editor.zoomBy(ZOOM_STEP),
      zoomOut: () => editor.zoomBy(1 / ZOOM_STEP),
      fit: () => editor.fit(),
      overlay: () => this.#toggleOverlay(),
      find: () => panel.find(),
      help: () => showHelp(),
    };
  }

  #editorListeners() {
    return {
      box: freeBox,
      now,
      changed: (what) => this.#changed(what),
      say: (text) => this.panel.say(text),
      viewed: () => this.#render(),
      refused: () => this.panel.say(obstacle(this.desk.work) || "To click, let go of Space, or press play again."),
    };
  }

  #deskListeners() {
    return {
      leaving: () => this.editor.settle(),
      shown: (image) => this.#shown(image),
      locked: () => this.notices.show(),
      say: (text) => this.panel.say(text),
    };
  }

  #makeSaver() {
    return new Saver(
      (work) => work.content(now()),
      (id, content) => this.api.save(id, content),
      () => this.#saverChanged(),
      () => this.notices.show(),
    );
  }

  #changed(what) {
    this.saver.save(this.editor.work);
    this.panel.tell(what);
    this.#render();
  }

  #shown(image) {
    const { work } = this.desk;
    this.player.stop();
    this.editor.show(work, image);
    history.replaceState(null, "", `#${work.id}`);
    this.notices.show();
    this.#showOverlay();
    this.#askProgress();
    this.#render();
  }

  #done() {
    const { work } = this.desk;
    if (work.leasedBy === null && !work.visible) return this.panel.say(obstacle(work));
    const surprising = work.points.length === 0 && !obstacle(work) && this.#emptyAccepted !== work.id;
    if (!surprising) return this.desk.finish("done");
    this.#emptyAccepted = work.id;
    this.panel.say("No point yet. Done again if nothing here belongs to a class; Skip to leave the frame out.");
  }

  #reopen() {
    const { work } = this.desk;
    if (work.leasedBy !== null) return;
    work.status = "todo";
    this.#changed("to do again");
  }

  #moveCrosshair(key, step) {
    const [dx, dy] = SIDES[key];
    this.editor.moveCrosshair({ x: dx * step, y: dy * step });
  }

  #playing(image, offset) {
    this.editor.play(image);
    if (image) this.panel.showOffset(offset);
    else this.#render();
  }

  #toggleOverlay() {
    this.#overlayOn = !this.#overlayOn;
    this.#showOverlay();
  }

  #showOverlay() {
    byId("actions").querySelector("[data-command=overlay]").setAttribute("aria-pressed", String(this.#overlayOn));
    this.editor.overlay = this.#overlayOn ? this.overlays.ready(this.desk.work.id) : null;
    this.editor.redraw();
    clearTimeout(this.#overlayTimer);
    if (!this.#overlayOn || this.editor.overlay) return;
    this.#overlayTimer = setTimeout(() => this.#askOverlay(), OVERLAY_DELAY);
  }

  /** One prediction at a time: it takes a while, and saves must not wait behind it. */
  async #askOverlay() {
    if (this.#overlayAsked) return; // once that is answered, the frame on the desk is looked at again
    const { id } = this.desk.work;
    this.#overlayAsked = true;
    this.overlays.keep([id]);
    const image = await this.overlays.get(id).catch(() => null);
    this.#overlayAsked = false;
    if (image || id !== this.desk.work.id) this.#showOverlay();
    else if (this.#overlayOn) this.panel.say("No prediction for this frame.");
  }

  #saverChanged() {
    const { unsaved, problem, failure } = this.saver;
    this.panel.showSaved(unsaved, problem);
    if (failure && failure !== this.#saidFailure) this.panel.say(`${failure}; meanwhile your clicks are kept here`);
    if (!failure && this.#saidFailure) this.panel.say("The server answers again.");
    this.#saidFailure = failure;
    if (!unsaved) this.#askProgress();
  }

  #askProgress() {
    clearTimeout(this.#progressTimer);
    this.#progressTimer = setTimeout(async () => {
      const progress = await this.api.progress().catch(() => null);
      if (progress) this.panel.showProgress(progress);
    }, PROGRESS_DELAY);
  }

  #render() {
    const { desk, editor, panel } = this;
    if (!desk.work) return;
    panel.showWork(desk.work, editor.current, editor.zoom);
    panel.showTimes(desk.seconds, editor.added, desk.finished);
  }
}

/** @returns {number} seconds on a clock that only goes on */
export function now() {
  return performance.now() / 1000;
}

/** The part of the window that no bar covers. */
function freeBox() {
  const top = byId("top").getBoundingClientRect().bottom;
  const bottom = byId("bottom").getBoundingClientRect().top;
  return { left: 0, top, width: innerWidth, height: Math.max(bottom - top, 1) };
}
