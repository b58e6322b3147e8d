// Elements made by script: text is always text, never markup.

/** An element with attributes and children; `undefined` children are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A copy of what a `<template>` holds: chips with their icons are drawn by the server. */
export function stamp(id) {
  return document.getElementById(id).content.cloneNode(true);
}

/** What was typed over several lines, as the one line that the ledger holds. */
export const oneLine = (text) => text.trim().replace(/\s*[\r\n]+\s*/g, " ");

/** A table's row. */
export function row(...cells) {
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}

/** Gives each cell its column's head, for narrow screens that show a row as a list. */
export function labelCells(body) {
  const heads = [...body.closest("table").tHead.rows[0].cells].map((head) => head.textContent);
  for (const { cells } of body.rows) [...cells].forEach((cell, at) => cell.setAttribute("data-label", heads[at]));
}

/** Shows these of a page's steps and hides the others. */
export function showSteps(...names) {
  for (const step of document.querySelectorAll("[data-step]")) step.hidden = !names.includes(step.dataset.step);
}

/** Copies a text; the button says so. */
export function copies(button, text) {
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      label.textContent = "Copied";
    } catch {
      label.textContent = "Select and copy";
    }
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}

/** Hands a file to the browser's downloads. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
