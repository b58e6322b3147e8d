// An action's page: what is seen is what is signed. Before the passkey is asked for, this browser recomputes the digest
// from the document on the page, and has the document sent once more to compare.

import { announce, clearRefusal, get, inForceFor, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";
import { available, distrust, inWords, sign } from "./passkeys.js";
import { oneLine, stamp } from "./elements.js";
import { agrees } from "./reading.js";
import { draw, notes } from "./says.js";
import { documentOf, fits, opens, rootOf } from "./subject.js";
import { fromHex, toHex } from "./bytes.js";
import { canonical } from "./jcs.js";

const DONE = { approve: "Approved.", reject: "Rejected.", cancel: "Taken back." };
const PURPOSES = { approve: "approval", reject: "rejection", cancel: "cancellation" };

let busy = false;

/** The document of this page, once its bytes, its digests and everything that is shown of it fit each other. */
async function confirmed(verb) {
  const said = document.getElementById("subject").dataset;
  const shown = documentOf(said.document);
  if (!location.pathname.endsWith(`/actions/${shown.document.action}`)) {
    throw distrust("The document is about another action than this page. Nothing is signed: tell the operator.");
  }
  for (const [member, value] of [["action", said.action], ["type", said.type], ["origin", said.origin], ["expires_at", said.expires]]) {
    if (shown.document[member] !== value) {
      throw distrust(`The page says another ${member} than the document. Nothing is signed: tell the operator.`);
    }
  }
  for (const one of verb ? [verb] : Object.keys(PURPOSES)) {
    await fits(shown, PURPOSES[one], said[one]);
  }
  const exact = JSON.parse(document.querySelector("[data-exact]").textContent);
  if (canonical(exact) !== shown.text) {
    throw distrust("The document that you can read is not the one to sign. Nothing is signed: tell the operator.");
  }
  return { ...shown, said };
}

/** Asks the server for the action once more: it has to be the same document, with disclosures that open its digests. */
async function asked(shown, verb) {
  const view = await get(path("actions", shown.document.action));
  if (canonical(view.document) !== shown.text) {
    throw distrust("The server now gives another document for this action than it showed you. Nothing is signed: tell the operator.");
  }
  if (verb && view.challenges[PURPOSES[verb]] !== shown.said[verb]) {
    throw distrust("The server now gives another digest for this action than it showed you. Nothing is signed: tell the operator.");
  }
  for (const field of view.disclosures) {
    await opens(shown.document, field);
    const element = document.querySelector(`[data-disclosed="${CSS.escape(field.name)}"]`);
    // HTML knows one kind of line end.
    if (element && element.textContent !== field.value.replace(/\r\n?/g, "\n")) {
      throw distrust("A text on this page is not the one that the document was made with. Nothing is signed: tell the operator.");
    }
  }
  await agrees(shown.document, view.names, view.disclosures, {
    sentence: document.getElementById("sentence").textContent,
    changes: rowsHere(Boolean(verb)),
    inForce: await inForceFor(shown.document),
  });
  const disclosed = new Set(view.disclosures.map(({ name }) => name));
  const listed = [...document.querySelectorAll("[data-disclosed]")].map(({ dataset }) => dataset.disclosed);
  if (document.querySelector("[data-batch-name]")) listed.push("names");
  if (!listed.every((name) => disclosed.has(name))) {
    throw distrust("This page shows a text that the document does not hold. Nothing is signed: tell the operator.");
  }
  await listFits(shown.document, view.disclosures);
  return view;
}

/** The table as it stands on the page; nothing where it has no "now" any more, which is no page to decide on. */
function rowsHere(deciding) {
  const table = document.querySelector(".changes");
  if (!table.hasAttribute("data-ahead")) {
    if (deciding) throw distrust("This page does not say what changes. Nothing is signed: tell the operator.");
    return undefined;
  }
  return [...table.tBodies[0].rows].map(({ cells: [what, now, after] }) => ({
    what: what.textContent, now: now.className === "was" ? now.textContent : undefined, after: after.textContent,
  }));
}

/** Draws what the document says, from the document alone. */
function showSays({ document: subject }, { names, disclosures }) {
  const at = (id) => document.getElementById(id);
  draw(subject, at("says-asked"), at("says-rest"), notes(names, disclosures));
  at("says").hidden = false;
}

/** For a release: the digests on the page are the tree's leaves, and the names are the disclosed ones in their order. */
async function listFits({ type, params }, disclosures) {
  if (type !== "signing.batch") return;
  const rows = [...document.querySelectorAll("[data-digest]")].map((code) => code.textContent);
  if (rows.length !== params.count || toHex(await rootOf(rows.map(fromHex))) !== params.root) {
    throw distrust("The list on this page is not the one that the document commits to. Nothing is signed: tell the operator.");
  }
  const names = [...document.querySelectorAll("[data-batch-name]")].map((name) => name.textContent);
  const disclosed = disclosures.find(({ name }) => name === "names")?.value.split("\n") ?? [];
  if (canonical(names) !== canonical(disclosed)) {
    throw distrust("The names on this page are not those that the document commits to. Nothing is signed: tell the operator.");
  }
}

function showDistrust(error) {
  const into = document.getElementById("distrust");
  showRefusal(Object.assign(error, { title: "Do not decide on this page" }), into);
  into.scrollIntoView({ block: "center" });
  for (const form of document.querySelectorAll("[data-decision]")) form.hidden = true;
  document.getElementById("says").hidden = true;
  document.getElementById("checks").replaceChildren(stamp("chip-differs"));
}

async function decide(form) {
  if (busy) return;
  busy = true;
  const verb = form.dataset.decision;
  const button = form.querySelector("button");
  const refusal = document.getElementById("refusal");
  clearRefusal(refusal);
  button.disabled = true;
  try {
    const shown = await confirmed(verb);
    await asked(shown, verb);
    const credentials = shown.said.credentials.split(" ").filter(Boolean);
    if (credentials.length === 0) {
      throw new Error("None of your authenticators signs decisions here: another one has to be added to you first.");
    }
    announce("Waiting for your passkey …");
    const assertion = await sign(fromHex(shown.said[verb]), shown.said.rp, credentials);
    const reason = oneLine(form.elements.reason?.value ?? "");
    await post(path("actions", shown.document.action, verb), { role: form.elements.role.value, assertion, ...(reason ? { reason } : {}) });
    // A choice left in another form would read as somebody writing, and keep the page as it was.
    for (const one of document.querySelectorAll("[data-decision]")) one.reset();
    busy = false;
    await refresh();
    announce(DONE[verb]);
  } catch (error) {
    if (error.name === "Distrust") showDistrust(error);
    else showRefusal(error.name === "Error" ? error : inWords(error), refusal);
  } finally {
    busy = false;
    button.disabled = false;
  }
}

async function bind() {
  const subject = document.getElementById("subject");
  if (!subject) return;
  try {
    const shown = await confirmed();
    showSays(shown, await asked(shown));
    document.getElementById("checks").replaceChildren(stamp("chip-checked"), " The digests are those of the document on this page; sentence, changes and texts say what it says.");
  } catch (error) {
    if (error.name === "Distrust") return showDistrust(error);
    if (error.name !== "Refused") return showDistrust(distrust("This browser could not confirm the document. Nothing is signed."));
    return showRefusal(error);
  }
  for (const form of document.querySelectorAll("[data-decision]")) {
    form.hidden = false;
    if (!available()) form.querySelector("button").disabled = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      decide(form);
    });
  }
  if (!available()) {
    showRefusal(new Error("This browser has no passkeys here. Use the server's public name, over HTTPS."), document.getElementById("refusal"));
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
