// Live pages: when the ledger has grown, the page is fetched again and its <main> exchanged, unless somebody is writing.
//
// A page says `data-live-off` on <main> where it must not change under the reader's hands. After each exchange the
// document gets the event `sealbook:exchanged`, for modules that bind to what is in <main>; one that says itself what has
// changed prevents its default.

import { announce } from "./api.js";

const QUIET_MS = 300;

let stream = null;
let known = null;
let pending = 0;
let running = null;
let queued = null;

/** Which option a list had chosen when it came: one that says so, else its first. */
function asGiven({ options }) {
  return Math.max(0, [...options].findLastIndex((option) => option.defaultSelected));
}

function somebodyWrites(main) {
  if ("liveOff" in main.dataset) return true;
  const fields = main.querySelectorAll("input, textarea, select");
  const changed = (field) =>
    field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field.tagName === "SELECT" ? field.selectedIndex !== asGiven(field)
    : field.value !== field.defaultValue;
  return [...fields].some(changed) || document.querySelector("dialog[open]") !== null;
}

/** How to find an element again after an exchange: by id, or by where a link leads. */
function landmark(element) {
  if (!element || element === document.body) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : null;
}

function exchange(next) {
  const main = document.getElementById("main");
  const fresh = next.getElementById("main");
  if (!main || !fresh || main.innerHTML === fresh.innerHTML) return false;
  const focused = main.contains(document.activeElement) ? landmark(document.activeElement) : null;
  const opened = [...main.querySelectorAll("details[open][id]")].map((details) => details.id);
  main.replaceChildren(...fresh.childNodes);
  for (const id of opened) main.querySelector(`details#${CSS.escape(id)}`)?.setAttribute("open", "");
  if (focused) main.querySelector(focused)?.focus({ preventScroll: true });
  return true;
}

/** What stands around <main> and moves with the ledger: how far it is sealed, and how much waits. */
function exchangeAround(next) {
  for (const selector of ["#sealed", ".places"]) {
    const [old, fresh] = [document.querySelector(selector), next.querySelector(selector)];
    if (!old || !fresh || old.innerHTML === fresh.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? landmark(document.activeElement) : null;
    old.replaceChildren(...fresh.childNodes);
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
  }
}

async function fetchAndExchange() {
  try {
    const response = await fetch(location.href, {
      headers: { accept: "text/html", "x-sealbook-background": "1" },
      credentials: "same-origin",
    });
    // Signed out meanwhile: the sign-in leads back here.
    if (response.redirected) return location.assign(response.url);
    if (!response.ok) return;
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    exchangeAround(next);
    const main = document.getElementById("main");
    if (!main || somebodyWrites(main)) return announce("The ledger has changed; this page shows it once you are done.");
    if (exchange(next)) {
      const exchanged = new CustomEvent("sealbook:exchanged", { cancelable: true });
      if (document.dispatchEvent(exchanged)) announce("This page has changed.");
    }
  } catch {
    // No answer: the stream comes back by itself and asks again.
  }
}

/** Fetches this page again and exchanges what changed. One that began before this was asked may not show it yet: then
    another follows. */
export function refresh() {
  if (!running) {
    running = fetchAndExchange().finally(() => { running = null; });
    return running;
  }
  queued ??= running.then(() => {
    queued = null;
    return refresh();
  });
  return queued;
}

function changed(event) {
  const { size } = JSON.parse(event.data);
  if (size === known) return;
  known = size;
  clearTimeout(pending);
  pending = setTimeout(refresh, QUIET_MS);
}

function listen() {
  const { live: address, size } = document.body.dataset;
  if (!address || stream || document.hidden) return;
  // What happened between the page's making and the stream's first word is news as well.
  known ??= Number(size);
  stream = new EventSource(address);
  stream.addEventListener("changed", changed);
  // One that is cut off comes back by itself. One that is refused does not: whoever is signed out meanwhile is led out.
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return;
    rest();
    refresh();
  });
}

function rest() {
  stream?.close();
  stream = null;
}

/** Follows the ledger while the page is looked at: a hidden one catches up when it comes to the front. */
export function follow() {
  listen();
  addEventListener("pagehide", rest);
  addEventListener("pageshow", listen);
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
}
