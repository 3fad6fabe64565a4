/** The message that stays: what has to be decided, who holds the frame, why nothing can be shown. */

import { byId, element, setText } from "./dom.js";

/**
 * @param {string} text empty: there is nothing to say any more
 * @param {[string, () => void][]} [buttons] what can be done about it; each ends the message
 */
export function notify(text, buttons = []) {
  byId("notice").hidden = !text;
  setText("notice-text", text);
  byId("notice-buttons").replaceChildren(
    ...buttons.map(([label, act]) => element("button", label, { onclick: () => (notify(""), act()) })),
  );
}

/**
 * @param {import("./work.js").Work} work
 * @returns {string} why its frame cannot be clicked; empty when it can
 */
export function obstacle({ leasedBy, visible }) {
  if (leasedBy !== null) return `You can look, not change: ${leasedBy || "somebody"} is working on this frame.`;
  return visible ? "" : "The picture of this frame cannot be shown. Skip leaves it out.";
}

/** Asks about what the server refuses, and about the frame on the desk. */
export class Notices {
  /**
   * @param {import("./desk.js").Desk} desk
   * @param {import("./saver.js").Saver} saver
   */
  constructor(desk, saver) {
    Object.assign(this, { desk, saver });
  }

  /** Show what has to be decided first, or who holds the frame, or nothing. */
  show() {
    const conflict = this.saver.conflicts.find(({ aside }) => !aside);
    if (conflict) return this.#showConflict(conflict);
    const { work } = this.desk;
    if (!work || !obstacle(work)) return notify("");
    const buttons = {
      "Try again": () => this.desk.refresh(),
      Skip: () => this.desk.finish("skipped"),
      "Another frame": () => this.desk.finish(work.status),
    };
    const offered = work.leasedBy === null ? ["Try again", "Skip"] : ["Another frame"];
    const act = async (label) => {
      await buttons[label]();
      this.show(); // the obstacle may still be there
    };
    notify(obstacle(work), offered.map((label) => [label, () => act(label)]));
  }

  #showConflict(conflict) {
    const { work, error } = conflict;
    const { video, number } = work.frame;
    const insist = error.frame?.leased_by ? "Keep trying" : "Keep mine";
    notify(`${video}, frame ${number}: ${error.message}`, [
      ["Take the stored state", () => this.#takeStored(work)],
      error.frame ? [insist, () => this.saver.insist(work.id)] : ["Go on", () => this.#putAside(conflict)],
    ]);
  }

  async #takeStored({ id }) {
    if (await this.desk.replace(id)) this.saver.drop(id);
    this.show();
  }

  /** It stays unsaved here; the next change of the frame is tried again. */
  #putAside(conflict) {
    conflict.aside = true;
    this.show();
  }
}
