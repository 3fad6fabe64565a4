/** The notice: a message that stays until a conflict is decided, a lease is free, or a picture can be shown. */

import { byId, element, setText } from "./dom.js";

/**
 * @param {string} text empty: hide the notice
 * @param {[string, () => void][]} [buttons] labels and actions; each button also hides the notice
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
 * @returns {string} why its frame cannot be clicked; empty if it can
 */
export function obstacle({ leasedBy, visible }) {
  if (leasedBy !== null) return `Read-only: ${leasedBy || "somebody"} is working on this frame.`;
  return visible ? "" : "The picture of this frame cannot be shown. Press Skip to leave the frame out.";
}

/** Shows conflicts, and obstacles of the current frame. */
export class Notices {
  /**
   * @param {import("./navigation.js").Navigation} navigation
   * @param {import("./saver.js").Saver} saver
   */
  constructor(navigation, saver) {
    Object.assign(this, { navigation, saver });
  }

  /** Show the first conflict, or else the obstacle of the current frame, or nothing. */
  show() {
    const conflict = this.saver.conflicts.find(({ dismissed }) => !dismissed);
    if (conflict) return this.#showConflict(conflict);
    const { work } = this.navigation;
    if (!work || !obstacle(work)) return notify("");
    const actions = {
      "Try again": () => this.navigation.refresh(),
      Skip: () => this.navigation.finish("skipped"),
      "Next frame": () => this.navigation.finish(work.status),
    };
    const labels = work.leasedBy === null ? ["Try again", "Skip"] : ["Next frame"];
    const act = async (label) => {
      await actions[label]();
      this.show(); // the obstacle may still be there
    };
    notify(obstacle(work), labels.map((label) => [label, () => act(label)]));
  }

  #showConflict(conflict) {
    const { work, error } = conflict;
    const { video, number } = work.frame;
    const keep = error.frame?.leased_by ? "Keep trying" : "Keep mine";
    notify(`${video}, frame ${number}: ${error.message}`, [
      ["Use the stored version", () => this.#useStored(work)],
      error.frame ? [keep, () => this.saver.overwrite(work.id)] : ["Continue", () => this.#dismiss(conflict)],
    ]);
  }

  async #useStored({ id }) {
    if (await this.navigation.useStored(id)) this.saver.discard(id);
    this.show();
  }

  /** The work stays unsaved in the browser; the next change of the frame is sent again. */
  #dismiss(conflict) {
    conflict.dismissed = true;
    this.show();
  }
}
