// An incident's page: what people do about its steps is asked of the API, and what has changed in it is said aloud.

import { clearRefusal, path, post, showRefusal, tenant } from "./api.js";
import "./clocks.js";
import { element } from "./elements.js";
import { refresh } from "./live.js";
import { momentOf } from "./proposal.js";
import { follow } from "./standing.js";
import { givenMoment } from "./times.js";

/** What a button said of itself, which an exchange of the page must not take away. */
const told = new Map();

const places = (text) => path(...text.split("/"));
const incident = () => location.pathname.split("/").at(-1);

/** Does some work while a button waits; a refusal is shown where it belongs. */
async function work(button, refusal, task) {
  clearRefusal(refusal);
  button.disabled = true;
  try {
    await task();
    await refresh();
  } catch (error) {
    showRefusal(error, refusal);
  } finally {
    button.disabled = false;
  }
}

/** What a form says, by its fields' names. The lines of a text end with a line feed alone: that is how its value has them. */
function asked(form) {
  const body = {};
  for (const { name, type, value, checked } of form.elements) {
    if (!name || value.trim() === "" || (type === "radio" && !checked)) continue;
    if (type === "number") body[name] = Number(value);
    else if (type === "datetime-local") body[name] = momentOf(value);
    else body[name] = value.trim();
  }
  return body;
}

function send(form, event) {
  event.preventDefault();
  const go = form.querySelector("[type=submit]");
  work(go, form.querySelector("[data-refusal]"), async () => {
    await post(path("incidents", incident(), form.dataset.verb), asked(form));
    // What was sent is no longer being written: the page may change.
    form.reset();
  });
}

/** Says something beside a button, and again after the page was exchanged. */
function tell(selector, ...parts) {
  told.set(selector, parts);
  document.querySelector(selector)?.replaceChildren(...parts);
}

const WORDS = { contained: "Contain", scoped: "Scope", withdrawn: "Withdraw", rotated: "Rotate", resigned: "Re-sign", revoked: "Revoke", advised: "Advise", resumed: "Resume" };
const named = (names) => names.map((name) => WORDS[name] ?? name).join(", ");

async function advance(button) {
  const { taken, waits_for: waits } = await post(places(button.dataset.advance));
  const proposals = waits.filter(({ action_type: type, pending }) => type && !pending).map(({ step }) => step);
  const approvals = waits.filter(({ pending }) => pending).map(({ step }) => step);
  const said = [taken.length > 0 ? `Taken: ${named(taken)}.` : "Nothing could be taken without somebody else."];
  if (proposals.length > 0) said.push(`To be proposed: ${named(proposals)}.`);
  if (approvals.length > 0) said.push(`Waits for approvals: ${named(approvals)}.`);
  tell("[data-waits]", said.join(" "));
}

async function state(button) {
  tell("[data-stated]", "The statement is being made …");
  try {
    const { sha256, seq } = await post(places(button.dataset.statement));
    const place = `/v1/tenants/${tenant()}/reports/${sha256}`;
    tell("[data-stated]", `Made, event ${seq}: `, element("a", { href: `${place}/REP.pdf`, download: "" }, "the PDF"), " · ", element("a", { href: place, download: "" }, "all of it"));
  } catch (error) {
    tell("[data-stated]");
    throw error;
  }
}

/** Shows what is hidden where nothing of it would work without this module, and has it do something. */
function arm(selector, act) {
  for (const button of document.querySelectorAll(selector)) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => work(button, undefined, () => act(button)));
  }
}

function bind() {
  arm("[data-post]", ({ dataset }) => post(places(dataset.post), dataset.channel ? { channel: dataset.channel } : {}));
  arm("[data-advance]", advance);
  arm("[data-statement]", state);
  for (const field of document.querySelectorAll("input[data-given]")) givenMoment(field);
  for (const form of document.querySelectorAll("form[data-verb]")) {
    const go = form.querySelector("[type=submit]");
    if (!go.hidden) continue;
    go.hidden = false;
    if ("can" in go.dataset) go.disabled = go.dataset.can !== "yes";
    form.addEventListener("submit", (event) => send(form, event));
  }
  for (const [selector, parts] of told) document.querySelector(selector)?.replaceChildren(...parts);
}

bind();
document.addEventListener("sealbook:exchanged", bind);
follow(".steps > li");
