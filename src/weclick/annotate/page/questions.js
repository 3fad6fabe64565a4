/**
 * Questions about a frame whose points and preview disagree, and their answers.
 *
 * A class that is seen but has no point may be a mistake of the preview: then it is not there. A class that has a point but is
 * not seen may be a mistake of the annotator. Where both agree, nothing is asked.
 *
 * @typedef {{classId: number, seen: boolean}} Question `seen`: in the preview, without a point; else the opposite
 */

import { byId, element } from "./dom.js";

const SHOWN = 4; // rows

/**
 * @param {number[]} seen classes that the preview sees
 * @param {import("./work.js").Work} work
 * @returns {Question[]} those without an answer
 */
export function openQuestions(seen, { clicked, answers }) {
  const missed = seen.filter((id) => !clicked.has(id)).map((classId) => ({ classId, seen: true }));
  const unseen = [...clicked].filter((id) => !seen.includes(id)).map((classId) => ({ classId, seen: false }));
  return [...missed, ...unseen].filter(({ classId }) => !answers.has(classId));
}

/** The list of questions and answers beside the picture. */
export class QuestionList {
  /**
   * @param {import("./styles.js").ClassStyle[]} styles of the classes
   * @param {{choose: (classId: number) => void, answer: (question: Question) => void,
   *   withdraw: (classId: number) => void}} commands
   */
  constructor(styles, commands) {
    Object.assign(this, { styles, commands });
  }

  /**
   * @param {Question[]} questions
   * @param {Map<number, boolean>} answers
   */
  show(questions, answers) {
    const asked = questions.slice(0, SHOWN).map((question, index) => this.#question(question, index === 0));
    const more = questions.length > SHOWN ? [element("li", `and ${questions.length - SHOWN} more`)] : [];
    const answered = [...answers].map(([classId, present]) => this.#answer(classId, present));
    byId("questions").replaceChildren(...asked, ...more, ...answered);
    byId("questions").hidden = !asked.length && !answered.length;
  }

  #question(question, first) {
    const { classId, seen } = question;
    const { name } = this.styles[classId];
    const text = `${name}: ${seen ? "seen, not clicked" : "clicked, not seen"}`;
    const choose = element("button", text, { title: `Choose ${name}`, onclick: () => this.commands.choose(classId) });
    const answer = element("button", seen ? "Not there" : "It is there", {
      onclick: () => this.commands.answer(question),
    });
    if (first) answer.append(element("kbd", "X"));
    return this.#row(classId, choose, answer);
  }

  #answer(classId, present) {
    const { name } = this.styles[classId];
    const withdraw = element("button", "✕", {
      title: "Withdraw this answer",
      ariaLabel: `Withdraw the answer about ${name}`,
      onclick: () => this.commands.withdraw(classId),
    });
    return this.#row(classId, element("span", `${name}: ${present ? "there" : "not there"}`), withdraw);
  }

  #row(classId, ...parts) {
    const row = element("li", null, {}, parts);
    row.style.borderColor = this.styles[classId].color;
    return row;
  }
}
