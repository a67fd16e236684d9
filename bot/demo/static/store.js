/** What the page knows, how it learns of changes, and who wants to hear of them. */

import { get } from "./api.js";
import { persons } from "./persons.js";

/**
 * @typedef {{id: string, title: string, description?: string}} Option
 * @typedef {{id: string | number, from: string, text: string, options: Option[], at?: string, status?: string,
 *   kind?: string, topic?: string | null, thread_id?: number | null, [more: string]: unknown}} Message
 * @typedef {Record<string, any>} Issue
 * @typedef {Record<string, any>} Payment
 * @typedef {{worker_alive?: boolean, restarts?: number, oldest_waiting_s?: number,
 *   waiting?: Record<string, number>}} Service
 * @typedef {{version: number, chats: {whatsapp: Message[], telegram: Message[]}, managers: Message[],
 *   issues: Issue[], payments: Payment[], trouble: Record<string, string>, service: Service}} State
 * @typedef {"connecting" | "live" | "lost"} Connection
 */

/** @type {State} */
const EMPTY = {
  version: 0,
  chats: { whatsapp: [], telegram: [] },
  managers: [],
  issues: [],
  payments: [],
  trouble: {},
  service: {},
};

export const store = {
  /** @type {State} */ state: EMPTY,
  /** @type {Connection} */ connection: "connecting",
  isLoaded: false,
};

/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {() => void} listener called after every change, and when `notify` is */
export function subscribe(listener) {
  listeners.add(listener);
}

/** Forget every listener: the page is about to be built anew. */
export function unsubscribeAll() {
  listeners.clear();
}

export function notify() {
  for (const listener of listeners) listener();
}

/** @type {Promise<void> | null} */
let running = null;
let isStale = false;

/** Read everything again. Calls that come while one is on its way become one more. */
export function refresh() {
  isStale = true;
  running ??= (async () => {
    try {
      while (isStale) {
        isStale = false;
        const who = persons();
        const query = new URLSearchParams({ whatsapp: who.whatsapp, telegram: who.telegram });
        store.state = await get(`/state?${query}`);
        store.isLoaded = true;
        notify();
      }
    } catch {
      setConnection("lost"); // the stream tries again by itself, and its first event brings us back here
    } finally {
      running = null;
    }
  })();
  return running;
}

/** Listen to the stream of version numbers for as long as the page is open. */
export function listen() {
  const source = new EventSource("/demo/api/stream");
  source.onmessage = async () => {
    setConnection("live");
    await refresh();
  };
  source.onerror = () => {
    setConnection("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // refused for good: a new one may pass
  };
}

/** @param {Connection} now */
function setConnection(now) {
  if (store.connection === now) return;
  store.connection = now;
  notify();
}
