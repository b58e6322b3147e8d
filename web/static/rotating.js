// A rotation's page: what people say of its steps is asked of the API, and what has changed in it is said aloud.

import { announce, clearRefusal, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";

/** The step that the focus was in last: its button goes when the step is done, and the focus must not get lost. */
let last = null;

const steps = () => [...document.querySelectorAll(".course > li")];
const standing = () => new Map(steps().map((step) => [step.id, step.dataset.word]));
let stood = standing();

/** Says which steps stand elsewhere than they did. */
function tellChanges() {
  const now = standing();
  const changed = steps().filter(({ id, dataset }) => stood.get(id) !== dataset.word);
  stood = now;
  if (changed.length > 0) announce(`${changed.map(({ dataset }) => `${dataset.title}: ${dataset.word}`).join(". ")}.`);
}

async function say(button) {
  clearRefusal();
  button.disabled = true;
  try {
    await post(path(...button.dataset.post.split("/")));
    await refresh();
  } catch (error) {
    showRefusal(error);
  } finally {
    button.disabled = false;
  }
}

function bind() {
  for (const button of document.querySelectorAll("[data-post]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => say(button));
  }
}

bind();
document.addEventListener("focusin", ({ target }) => {
  last = target.closest?.(".course > li")?.id ?? null;
});
document.addEventListener("sealbook:exchanged", (event) => {
  bind();
  if (last && document.activeElement === document.body) document.getElementById(last)?.focus({ preventScroll: true });
  // Which step has moved is said, and not each event of the ledger.
  event.preventDefault();
  tellChanges();
});
