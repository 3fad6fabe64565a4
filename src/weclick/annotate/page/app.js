/** Connects the parts of the page: defines the commands and the callbacks between the parts. */

import { frameUrl } from "./api.js";
import { byId } from "./dom.js";
import { Editor } from "./editor.js";
import { fillHelp, hasSeenHelp, showHelp } from "./help.js";
import { Navigation } from "./navigation.js";
import { Notices, obstacle } from "./notices.js";
import { Panel } from "./panel.js";
import { Pictures, Player } from "./pictures.js";
import { UNKNOWN } from "./points.js";
import { Preview } from "./preview.js";
import { Saver } from "./saver.js";
import { Scrub } from "./scrub.js";
import { classStyles } from "./styles.js";
import { Survey } from "./survey.js";
import { findLeftovers } from "./unsaved.js";

const ZOOM_STEP = Math.SQRT2;
const STEP = 6; // pixels that the crosshair moves
const FAR_STEP = 48;
const PROGRESS_DELAY = 300; // milliseconds; one request after several quick clicks
const OVERLAY_DELAY = 300; // milliseconds; no predictions for frames that are only passed
const TIMEOUT = { picture: 20, overlay: 120 }; // seconds; a prediction may have to be computed
const OPACITY = { step: 0.15, least: 0.2, most: 0.95 };
const NEXT = { page: "press Train", shell: "next: weclick fit" };
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class App {
  #overlayOn = false; // the student's prediction, in place of the preview
  #emptyFrame = null; // id of the frame without points for which Done was pressed once
  #reportedFailure = null;
  #progressTimer = null;
  #overlayTimer = null;
  #overlayLoading = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./api.js").Project} project
   */
  constructor(api, project) {
    this.api = api;
    const styles = classStyles(project.classes);
    const pictures = new Pictures((id) => frameUrl(id, "image"), TIMEOUT.picture);
    this.overlays = new Pictures((id) => frameUrl(id, "overlay"), TIMEOUT.overlay);
    this.preview = project.preview ? new Preview(api, styles, this.#previewCallbacks()) : null;
    this.survey = project.preview ? new Survey(api, (id) => this.navigation.go(id)) : null;
    this.player = new Player(pictures, (image, offset) => this.#playing(image, offset));
    const next = project.training ? NEXT.page : NEXT.shell;
    this.panel = new Panel(styles, (id) => this.chooseClass(id), next);
    this.editor = new Editor(byId("canvas"), styles, this.#editorCallbacks());
    this.saver = this.#makeSaver();
    this.navigation = new Navigation({
      ...{ api, pictures, saver: this.saver, videos: project.videos, now },
      leaving: () => this.editor.dropHeld(),
      shown: (image) => this.#shown(image),
      locked: () => this.notices.show(),
      showMessage: (text) => this.panel.showMessage(text),
    });
    this.notices = new Notices(this.navigation, this.saver);
    this.scrub = new Scrub((position) => this.navigation.goTo(position));
    this.commands = this.#makeCommands();
    fillHelp(project);
    byId("actions").querySelector("[data-command=overlay]").hidden = !project.overlay;
    for (const name of ["preview", "accept"]) {
      byId("actions").querySelector(`[data-command=${name}]`).hidden = !project.preview;
    }
  }

  /** @param {string | null} id frame to start with */
  async start(id) {
    const { leftovers, unreadable } = await findLeftovers();
    const resumed = await this.navigation.resume(leftovers);
    this.#saverChanged();
    await this.navigation.start(id);
    const { panel } = this;
    if (unreadable) panel.showMessage("Unsaved work of an earlier visit cannot be read; it stays in this browser.");
    else if (resumed) panel.showMessage("Saving the work of your last visit.");
    else if (!hasSeenHelp()) panel.showMessage("Choose a class, then click each object once. Press ? for help.");
  }

  /**
   * @param {string} command
   * @param {KeyboardEvent} [event]
   */
  run(command, event) {
    if (this.navigation.work || command === "help") this.commands[command](event);
  }

  /** @param {number} id */
  chooseClass(id) {
    this.editor.current = id;
    this.panel.scrollTo(id);
    this.editor.redraw();
    this.#render();
  }

  togglePlay() {
    if (this.player.playing) this.player.stop();
    else this.run("play");
  }

  /** Called for every input; the stopwatch counts pauses only in part. */
  noteActivity() {
    this.navigation.work?.stopwatch.activity(now());
  }

  /** @param {boolean} hidden whether the tab is hidden */
  visibilityChanged(hidden) {
    this.player.stop();
    const { work } = this.navigation;
    if (!work) return;
    if (hidden) return work.stopwatch.stop(now());
    work.stopwatch.start(now());
    this.navigation.refresh(); // its lease may have ended meanwhile
  }

  /** Called when another tab opens: renew the lease before that tab can take the frame. */
  claim() {
    this.navigation.renewLease();
    this.saver.retryNow();
  }

  /** Release the frame for others. */
  leave() {
    if (this.navigation.work?.leasedBy === null) this.api.release(this.navigation.work.id).catch(() => null);
  }

  #makeCommands() {
    const { navigation, editor, player, panel } = this;
    return {
      done: () => this.#done(),
      accept: () => this.#accept(),
      answer: () => this.preview?.answerFirst(),
      unsure: () => this.survey?.next(navigation.work.id) || panel.showMessage("No other frame has been examined yet."),
      skip: () => navigation.finish("skipped"),
      reopen: () => this.#reopen(),
      back: () => navigation.back(),
      left: () => navigation.step(-1),
      right: () => navigation.step(1),
      up: () => navigation.step(-10),
      down: () => navigation.step(10),
      previousVideo: () => navigation.jump(-1),
      nextVideo: () => navigation.jump(1),
      play: () => player.start(navigation.work.frame.around),
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      remove: () => editor.removeNearest(),
      changeClass: () => editor.changeClassOfNearest(),
      add: () => editor.addAtCrosshair(),
      move: ({ key }) => this.#moveCrosshair(key, STEP),
      moveFar: ({ key }) => this.#moveCrosshair(key, FAR_STEP),
      zoomIn: () => editor.zoomBy(ZOOM_STEP),
      zoomOut: () => editor.zoomBy(1 / ZOOM_STEP),
      fit: () => editor.fit(),
      overlay: () => this.#toggleOverlay(),
      preview: () => this.#togglePreview(),
      fainter: () => this.#changeOpacity(-OPACITY.step),
      stronger: () => this.#changeOpacity(OPACITY.step),
      unknown: () => this.chooseClass(UNKNOWN),
      find: () => panel.find(),
      help: () => showHelp(),
    };
  }

  #editorCallbacks() {
    const playing = "Stop playing to add points: release Space, or press play again.";
    return {
      box: freeBox,
      now,
      changed: (description) => this.#changed(description),
      showMessage: (text) => this.panel.showMessage(text),
      viewChanged: () => this.#render(),
      locked: () => this.panel.showMessage(obstacle(this.navigation.work) || playing),
    };
  }

  #previewCallbacks() {
    return {
      work: () => this.navigation.work,
      loaded: () => this.#showOverlay(),
      changed: (description) => this.#changed(description),
      choose: (id) => this.chooseClass(id),
      showState: (text) => this.panel.showPreview(text),
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

  #changed(description) {
    this.saver.save(this.editor.work);
    this.preview?.ask();
    this.panel.announce(description);
    this.#render();
  }

  #shown(image) {
    const { work } = this.navigation;
    this.player.stop();
    this.editor.show(work, image);
    history.replaceState(null, "", `#${work.id}`);
    this.notices.show();
    this.preview?.ask();
    this.#showOverlay();
    this.#updateProgress();
    this.#render();
  }

  /** Accept what the overlay shows as the frame's label; without a preview, finish the frame. */
  #accept() {
    const { work } = this.navigation;
    if (!this.preview || obstacle(work)) return this.#done();
    if (!this.#isPreviewSeen) {
      return this.panel.showMessage("There is no preview of these points to accept. Press V to see it.");
    }
    // asked again if the frame stays, as the server may have been started again since it showed this preview
    this.navigation.finish("done", true).then(() => this.preview.ask());
  }

  /** Only what is seen is accepted: not while the preview is hidden, behind the prediction, or of earlier points. */
  get #isPreviewSeen() {
    return this.preview.isCurrent && this.editor.overlay === this.preview.image;
  }

  #done() {
    const { work } = this.navigation;
    if (work.leasedBy === null && !work.visible) return this.panel.showMessage(obstacle(work));
    // in training, every class without a click counts as absent, so a frame without points is probably a mistake
    const confirm = work.points.length === 0 && !obstacle(work) && this.#emptyFrame !== work.id;
    if (!confirm) return this.navigation.finish("done");
    this.#emptyFrame = work.id;
    this.panel.showMessage("No points yet. Press Done again if the frame shows none of the classes, else Skip.");
  }

  #reopen() {
    const { work } = this.navigation;
    if (work.leasedBy !== null) return;
    Object.assign(work, { status: "todo", accepted: false });
    this.#changed("marked as to do");
  }

  #moveCrosshair(key, step) {
    const [dx, dy] = DIRECTIONS[key];
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

  #togglePreview() {
    if (!this.preview) return this.panel.showMessage("Start weclick annotate with --preview true to see what points mean.");
    this.preview.toggle();
    this.#showOverlay();
  }

  #changeOpacity(by) {
    this.editor.opacity = Math.min(Math.max(this.editor.opacity + by, OPACITY.least), OPACITY.most);
    this.editor.redraw();
  }

  #showOverlay() {
    const pressed = { overlay: this.#overlayOn, preview: this.preview?.on ?? false };
    for (const [name, on] of Object.entries(pressed)) {
      byId("actions").querySelector(`[data-command=${name}]`).setAttribute("aria-pressed", String(on));
    }
    const preview = this.preview?.image ?? null;
    this.editor.overlay = this.#overlayOn ? this.overlays.loaded(this.navigation.work.id) : preview;
    this.editor.redraw();
    this.#enableAccept();
    clearTimeout(this.#overlayTimer);
    if (!this.#overlayOn || this.editor.overlay) return;
    this.#overlayTimer = setTimeout(() => this.#loadOverlay(), OVERLAY_DELAY);
  }

  /** One prediction at a time: browsers limit the connections to a server, and saves must not wait for predictions. */
  async #loadOverlay() {
    if (this.#overlayLoading) return; // #showOverlay runs again when that one is loaded
    const { id } = this.navigation.work;
    this.#overlayLoading = true;
    this.overlays.preload([id]);
    const image = await this.overlays.get(id).catch(() => null);
    this.#overlayLoading = false;
    if (image || id !== this.navigation.work.id) this.#showOverlay();
    else if (this.#overlayOn) this.panel.showMessage("No prediction for this frame.");
  }

  #enableAccept() {
    const button = byId("actions").querySelector("[data-command=accept]");
    button.disabled = Boolean(this.preview) && !obstacle(this.navigation.work) && !this.#isPreviewSeen;
  }

  #saverChanged() {
    const { unsaved, problem, failure } = this.saver;
    this.panel.showSaved(unsaved, problem);
    if (failure && failure !== this.#reportedFailure) {
      this.panel.showMessage(`Not saved: ${failure}. Your clicks are kept in this browser.`);
    }
    if (!failure && this.#reportedFailure) this.panel.showMessage("Saving works again.");
    this.#reportedFailure = failure;
    if (!unsaved) this.#updateProgress();
  }

  #updateProgress() {
    clearTimeout(this.#progressTimer);
    this.#progressTimer = setTimeout(async () => {
      const progress = await this.api.progress().catch(() => null);
      if (progress) this.panel.showProgress(progress);
    }, PROGRESS_DELAY);
  }

  #render() {
    const { navigation, editor, panel } = this;
    if (!navigation.work) return;
    panel.showWork(navigation.work, editor.current, editor.zoom);
    this.scrub.show(navigation.work.frame);
    this.#enableAccept();
    panel.showTimes(navigation.seconds, editor.added, navigation.finished);
  }
}

/** @returns {number} seconds on a monotonic clock */
export function now() {
  return performance.now() / 1000;
}

/** The part of the window between the two bars. */
function freeBox() {
  const top = byId("top").getBoundingClientRect().bottom;
  const bottom = byId("bottom").getBoundingClientRect().top;
  return { left: 0, top, width: innerWidth, height: Math.max(bottom - top, 1) };
}
