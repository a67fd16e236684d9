/** Calls of the playground's JSON addresses. */

const BASE = "/demo/api";

export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
async function call(path, init) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(BASE + path, init);
  } catch {
    throw new ApiError("no_service", "The service does not answer.");
  }
  /** @type {any} */
  let body = null;
  try {
    body = await response.json();
  } catch {
    // an answer of something in between: the status says enough
  }
  if (!response.ok || body === null) {
    throw new ApiError(body?.error?.code ?? "failed", body?.error?.message ?? `HTTP ${response.status}`);
  }
  return body;
}

/** @param {string} path */
export const get = (path) => call(path);

/**
 * @param {string} path
 * @param {object} [body]
 */
export const post = (path, body = {}) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
