// Clocks that run: how long something goes on, what is left of a time, and how much of it is over.
//
// The server draws them as they stand at `data-now`. They go on from there by this browser's clock, so it does not matter
// whether that is right. A page with clocks loads this module; it finds them again after each live exchange.

import { refresh } from "./live.js";

const SECOND_MS = 1000;

/** The server's clock less this browser's, and whether a time was over when the page was last looked at. */
let ahead = 0;
let over = new Set();

const two = (count) => String(count).padStart(2, "0");

/** `0:41`, `5:03:07`, `2 d 05:03:07`, as the server says it. */
export function counter(seconds) {
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24];
  const rest = [Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  if (days > 0) return `${days} d ${[hours, ...rest].map(two).join(":")}`;
  return hours > 0 ? `${hours}:${rest.map(two).join(":")}` : `${rest[0]}:${two(rest[1])}`;
}

const set = (place, text) => {
  if (place.textContent !== text) place.textContent = text;
};

function tick() {
  const now = Date.now() + ahead;
  for (const place of document.querySelectorAll("[data-since]")) {
    set(place, counter(Math.max(0, (now - Date.parse(place.dataset.since)) / SECOND_MS)));
  }
  let passed = false;
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = (Date.parse(place.dataset.until) - now) / SECOND_MS;
    set(place, counter(Math.abs(left)));
    passed ||= left < 0 && !over.has(place.dataset.until);
  }
  for (const bar of document.querySelectorAll("rect[data-to]")) {
    const [from, to] = [Date.parse(bar.dataset.from), Date.parse(bar.dataset.to)];
    bar.setAttribute("width", Math.min(100, Math.max(0, ((now - from) / (to - from)) * 100)).toFixed(2));
  }
  // What a time that is over means, the server says.
  if (passed) {
    look();
    refresh();
  }
}

/** Remembers which times are over already. */
function look() {
  const now = Date.now() + ahead;
  const all = [...document.querySelectorAll("[data-until]")].map((place) => place.dataset.until);
  over = new Set(all.filter((until) => Date.parse(until) < now));
}

function begin() {
  const now = document.querySelector("[data-now]")?.dataset.now;
  if (now) ahead = Date.parse(now) - Date.now();
  look();
  tick();
}

begin();
setInterval(tick, SECOND_MS);
document.addEventListener("sealbook:exchanged", begin);
