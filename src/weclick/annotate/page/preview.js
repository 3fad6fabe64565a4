/** The preview of the current frame: asked for after every change, one request at a time, the newest points win. */

import { openQuestions, QuestionList } from "./questions.js";

const RETRY = 3000; // milliseconds

export class Preview {
  #latest = null; // {work, points, absent, image, seen}
  #wanted = null; // the work to ask for next
  #running = false;
  #timer = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./styles.js").ClassStyle[]} styles of the classes
   * @param {{work: () => import("./work.js").Work, loaded: () => void, changed: (description: string) => void,
   *   choose: (classId: number) => void, showState: (text: string) => void}} page the current work, and callbacks: `loaded` is
   *   called after every result, `changed` after every answer
   */
  constructor(api, styles, page) {
    Object.assign(this, { api, styles, page, on: true });
    this.questions = new QuestionList(styles, {
      choose: page.choose,
      answer: (question) => this.#answer(question.classId, !question.seen),
      withdraw: (classId) => this.#answer(classId, null),
    });
  }

  /** What to lay over the current frame; null if there is nothing, or it is switched off. */
  get image() {
    return this.on && this.#latest?.work === this.page.work() ? this.#latest.image : null;
  }

  /** Whether the image shows the points and answers of the current frame as they are now. */
  get isCurrent() {
    const { work, points, absent } = this.#latest ?? {};
    return this.image !== null && points === work.points && String(absent) === String(work.absent);
  }

  toggle() {
    this.on = !this.on;
    this.ask();
  }

  /** Ask what the points and answers mean as they are now, saved or not. */
  ask() {
    const work = this.page.work();
    if (this.#latest?.work !== work) this.#latest = null;
    this.#wanted = this.on && work.visible ? work : null;
    if (!this.on) this.page.showState("");
    else if (this.#wanted && !this.#latest) this.page.showState("preview: loading");
    this.#showQuestions();
    if (!this.#running) this.#run();
  }

  answerFirst() {
    const [question] = this.#open;
    if (question) this.#answer(question.classId, !question.seen);
  }

  get #open() {
    const { image, seen } = this.#latest ?? {};
    return image ? openQuestions(seen, this.page.work()) : [];
  }

  /** @param {boolean | null} present null withdraws an answer */
  #answer(classId, present) {
    const { name } = this.styles[classId];
    this.page.work().answer(classId, present);
    this.page.changed(present === null ? `answer about ${name} withdrawn` : `${name} is ${present ? "" : "not "}there`);
  }

  async #run() {
    this.#running = true;
    while (this.#wanted) {
      const work = this.#wanted;
      const { points, absent } = work;
      this.#wanted = null;
      try {
        const found = await this.api.preview(work.id, points, absent);
        if (work === this.page.work()) this.#loaded({ work, points, absent, image: null, ...found });
      } catch (error) {
        if (work === this.page.work()) this.#failed(error);
      }
    }
    this.#running = false;
  }

  #loaded(latest) {
    clearTimeout(this.#timer);
    this.#latest = latest;
    this.page.showState(latest.image ? "" : "preview: click an object first");
    this.#showQuestions();
    this.page.loaded();
  }

  /** Keep what is shown, and ask again later. */
  #failed(error) {
    this.page.showState(`no preview: ${error.message}`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), RETRY);
  }

  #showQuestions() {
    const work = this.page.work();
    if (this.isCurrent) work.open = this.#open.map(({ classId }) => classId);
    this.questions.show(this.on && work.leasedBy === null ? this.#open : [], this.on ? work.answers : new Map());
  }
}
