// Asking the API from a page: the session's cookie goes along by itself, the page's CSRF token is added here.

/** What the server refused, or could not do, in words: `message` is for people, `code` names the rule. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail ?? "The server could not be understood.");
    this.name = "Refused";
    this.code = problem.code ?? "server.unknown";
    this.title = problem.title ?? "Not done";
    this.correlation = problem.correlation ?? "";
    this.status = status;
    this.retryAfter = 0;
  }
}

function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

/** The tenant of this page. */
export const tenant = () => meta("tenant");

/** A path of this tenant's API: `path("actions", id, "approve")`. */
export function path(...parts) {
  return ["/v1/tenants", tenant(), ...parts].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");
}

/** Asks for the passkey once more; answers whether the session is fresh now. Pages of members set it. */
let renew = async () => false;

/** Says what is done where the server wants a fresh sign-in. */
export function whenStale(work) {
  renew = work;
}

/** From now on the page sends along what belongs to the session as it is now. */
export function refreshed({ csrf }) {
  const place = document.querySelector('meta[name="csrf"]');
  if (place && csrf) place.content = csrf;
}

/** Whether what was refused may be asked once more: the session was made fresh, here or in another tab. */
export async function mended(refused) {
  if (refused.code === "session.stale") return renew();
  if (refused.code !== "session.csrf" || !tenant()) return false;
  const before = meta("csrf");
  const session = await get(path("session"));
  // Somebody else has signed in in another tab: what this page asks for is not theirs.
  if (session.member !== meta("member")) return false;
  refreshed(session);
  return meta("csrf") !== before;
}

async function problemOf(response) {
  const kind = response.headers.get("content-type") ?? "";
  if (!kind.startsWith("application/problem+json")) return {};
  try {
    return await response.json();
  } catch {
    return {};
  }
}

/**
 * Asks the API and answers with its JSON (or null where there is none).
 * Throws `Refused` with the rule's own words. `idempotencyKey` makes a repeated request harmless.
 */
export async function ask(method, url, body, options = {}) {
  // Another tab may have renewed the session, and the sign-in may be stale besides.
  for (let mends = 0; ; mends += 1) {
    try {
      return await once(method, url, body, options);
    } catch (error) {
      if (mends === 2 || options.bearer || error.name !== "Refused" || !(await mended(error))) throw error;
    }
  }
}

async function once(method, url, body, { bearer, idempotencyKey, signal }) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  else if (method !== "GET") headers["x-sealbook-csrf"] = meta("csrf");
  if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: bearer ? "omit" : "same-origin",
      redirect: "error",
    });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new Refused({
      title: "No answer",
      code: "network.unreachable",
      detail: "The server does not answer. What you typed is still here: try again once it does.",
    }, 0);
  }
  if (!response.ok) {
    const refused = new Refused(await problemOf(response), response.status);
    refused.retryAfter = Number(response.headers.get("retry-after") ?? 0);
    throw refused;
  }
  return response.status === 204 ? null : response.json();
}

export const get = (url, options) => ask("GET", url, undefined, options);
export const post = (url, body = {}, options = {}) => ask("POST", url, body, options);
export const del = (url, options) => ask("DELETE", url, undefined, options);

/** The ledger policy in force, where a document would replace it. */
export async function inForceFor({ type }) {
  return type === "policy.set" ? (await get(path("policy"))).policy : undefined;
}

/** Shows a refusal (or anything else that went wrong) without touching what was typed. Focus stays where it is. */
export function showRefusal(error, into = document.getElementById("notice")) {
  if (!into) return;
  const title = document.createElement("b");
  title.textContent = error.title ?? "Not done";
  const sentence = document.createElement("p");
  sentence.textContent = error.message;
  into.replaceChildren(title, sentence);
  if (error.code) {
    const rule = document.createElement("p");
    rule.className = "facts";
    const code = document.createElement("code");
    code.textContent = error.code;
    rule.append("Rule ", code);
    if (error.correlation) {
      const id = document.createElement("code");
      id.textContent = error.correlation;
      rule.append(" · correlation ", id);
    }
    into.append(rule);
  }
  if (error.status === 401 && location.pathname !== "/signin") {
    const link = document.createElement("a");
    link.href = `/signin?next=${location.pathname}`;
    link.textContent = "Sign in again";
    into.append(link);
  }
  into.hidden = false;
}

/** Takes a refusal away again. */
export function clearRefusal(into = document.getElementById("notice")) {
  if (!into) return;
  into.hidden = true;
  into.replaceChildren();
}

/** Says something to people who listen to the page. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}
