// The words that readings of documents are made of, as the server has them.

export const words = (name) => name.replaceAll("_", " ");

/** A moment to the second: `2026-11-22 14:00:05 UTC`. */
export const moment = (time) => `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;

/** As cells list things: `none`, `a, b`. */
export const list = (items) => (items.length === 0 ? "none" : items.join(", "));

/** As sentences list things: `nothing`, `a`, `a, b and c`. */
export const enumerated = (items) => (items.length === 0 ? "nothing" : [items.slice(0, -1).join(", "), items.at(-1)].filter(Boolean).join(" and "));

/** After "every": `day`, `90 days`. */
export const counted = (count, unit) => (count === 1 ? unit : `${count} ${unit}s`);
export const days = (count) => counted(count, "day");

/** After "for": `1 day`, `90 days`. */
export const span = (count) => (count === 1 ? "1 day" : days(count));

// A row: what changes, and its "after": a text, null for "no more", a function of "now", or a pattern for what the server
// reads from the state. Marked `may`: it is there only where it differs from now.
export const row = (what, after) => ({ what, after });
export const may = (what, after) => ({ what, after, may: true });
