// Reports of a period: asked for, made, and then in the list.

import { announce, clearRefusal, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";

async function make(form, event) {
  event.preventDefault();
  const [go, refusal] = [form.querySelector("[data-go]"), form.querySelector("[data-refusal]")];
  clearRefusal(refusal);
  go.disabled = true;
  announce("The pack is being made …");
  try {
    const { from, to } = Object.fromEntries(new FormData(form));
    await post(path("reports"), { from, to });
    await refresh();
    announce("The pack is made: it is the first of the list.");
  } catch (error) {
    announce("");
    showRefusal(error, refusal);
  } finally {
    go.disabled = false;
  }
}

function bind() {
  for (const form of document.querySelectorAll("[data-period]")) {
    const go = form.querySelector("[data-go]");
    if (!go.hidden) continue;
    go.hidden = false;
    form.addEventListener("submit", (event) => make(form, event));
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
