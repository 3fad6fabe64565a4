/** The id of this browser tab, and the ids of other open tabs of the page. */

const TIMEOUT = 500; // milliseconds after which a tab that has not replied counts as closed
const PING = "who is there?";

export const TAB = randomId();

const others = new Set();
const channel = new BroadcastChannel("weclick"); // the Web Locks API would do as well, but needs https
channel.addEventListener("message", ({ data }) => data !== PING && others.add(data));
channel.postMessage(PING);
const timeout = new Promise((resolve) => setTimeout(resolve, TIMEOUT));

/** @returns {Promise<Set<string>>} ids of the other open tabs */
export async function otherTabs() {
  await timeout;
  return others;
}

/**
 * Reply to every ping of another tab.
 * @param {() => void} beforeReply called first
 */
export function replyToTabs(beforeReply) {
  channel.addEventListener("message", ({ data }) => {
    if (data !== PING) return;
    beforeReply();
    channel.postMessage(TAB);
  });
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // crypto.randomUUID needs https
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
