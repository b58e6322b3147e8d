// Steps that a live page shows: which of them stand elsewhere after an exchange is said aloud, and the focus stays where it
// was.

import { announce } from "./api.js";

/** Follows the steps that a selector finds; each has an `id`, a `data-title` and a `data-word` that says where it stands. */
export function follow(selector) {
  /** The step that the focus was in last: its button goes when the step is done, and the focus must not get lost. */
  let last = null;
  const steps = () => [...document.querySelectorAll(selector)];
  const standing = () => new Map(steps().map((step) => [step.id, step.dataset.word]));
  let stood = standing();

  /** Says which steps stand elsewhere than they did. */
  function tellChanges() {
    const now = standing();
    const changed = steps().filter(({ id, dataset }) => stood.get(id) !== dataset.word);
    stood = now;
    if (changed.length > 0) announce(`${changed.map(({ dataset }) => `${dataset.title}: ${dataset.word}`).join(". ")}.`);
  }

  document.addEventListener("focusin", ({ target }) => {
    last = target.closest?.(selector)?.id ?? null;
  });
  document.addEventListener("sealbook:exchanged", (event) => {
    if (last && document.activeElement === document.body) document.getElementById(last)?.focus({ preventScroll: true });
    // Which step has moved is said, and not each event of the ledger.
    event.preventDefault();
    tellChanges();
  });
}
