// Opening an incident, or starting a drill: by a form, or by one button on a slot's page, which asks once and in place.

import { clearRefusal, path, post, showRefusal, tenant } from "./api.js";
import { element, oneLine } from "./elements.js";
import { momentOf } from "./proposal.js";

const MINUTE_MS = 60_000;
const MINUTE_S = 60;
const MAX_REASON = "1000";

/** A moment so many minutes from now. */
const inMinutes = (minutes) => momentOf(Date.now() + Number(minutes) * MINUTE_MS);

/** What a form asks for. */
function asked(form) {
  const { slot, suspected_since: since, acknowledge_by: answer, reason } = Object.fromEntries(new FormData(form));
  const body = { slot };
  if (since) body.suspected_since = momentOf(since);
  if (answer) body.acknowledge_by = inMinutes(answer);
  if (reason?.trim()) body.reason = oneLine(reason);
  for (const flag of form.querySelectorAll("input[type=checkbox]")) body[flag.name] = flag.checked;
  const targets = [...form.querySelectorAll("[data-target]")].filter(({ value }) => value);
  if (targets.length > 0) body.targets = Object.fromEntries(targets.map(({ dataset, value }) => [dataset.target, Number(value) * MINUTE_S]));
  return body;
}

/** Asks for it, and goes to its page. */
async function open(kind, body, go, refusal) {
  clearRefusal(refusal);
  go.disabled = true;
  try {
    const { incident } = await post(path(kind), body);
    location.assign(`/t/${tenant()}/incidents/${incident}`);
  } catch (error) {
    go.disabled = false;
    showRefusal(error, refusal);
  }
}

/** The question of a slot's page: everything in it may be left as it is. */
function dialogFor({ suspect: slot }) {
  const since = element("input", { id: "suspect-since", name: "suspected_since", type: "datetime-local", step: "1" });
  const reason = element("textarea", { id: "suspect-reason", name: "reason", maxlength: MAX_REASON, rows: "2" });
  const refusal = element("div", { class: "refusal", role: "alert", hidden: "" });
  const go = element("button", { class: "btn stop", type: "submit", autofocus: "" }, `Open an incident and contain ${slot} now`);
  const keep = element("button", { class: "btn", type: "button" }, "Leave it as it is");
  const form = element("form", { method: "dialog" },
    element("h2", { id: "suspect-title" }, `Somebody else may hold the key of ${slot}?`),
    element("p", {}, "The slot signs nothing from now on, until a quorum resumes it. Commanders and the change board are called, and the clocks of 24 hours and 5 days begin."),
    element("p", { class: "facts" }, "It holds at once, by your word alone, and is recorded."),
    element("input", { type: "hidden", name: "slot", value: slot }),
    element("div", { class: "field" }, element("label", { for: "suspect-since" }, "Suspected since (optional)"), since),
    element("div", { class: "field" }, element("label", { for: "suspect-reason" }, "What is known (optional)"), reason,
      element("small", {}, "Plain text; the statement quotes it.")),
    refusal,
    element("div", { class: "bar" }, go, keep));
  const dialog = element("dialog", { class: "ask", "aria-labelledby": "suspect-title" }, form);
  keep.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open("incidents", asked(form), go, refusal);
  });
  return dialog;
}

function bind() {
  for (const button of document.querySelectorAll("[data-suspect]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const dialog = dialogFor(button.dataset);
      document.body.append(dialog);
      dialog.showModal();
    });
  }
  for (const form of document.querySelectorAll("[data-open]")) {
    const go = form.querySelector("[type=submit]");
    if (!go.hidden) continue;
    go.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      open(form.dataset.open, asked(form), go, form.querySelector("[data-refusal]"));
    });
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
