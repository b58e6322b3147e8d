// Proposing: the form becomes a draft, the draft is checked against what was asked, shown, and signed.

import { announce, clearRefusal, get, inForceFor, path, post, showRefusal, tenant } from "./api.js";
import { fromHex, toHex, toBase64url } from "./bytes.js";
import { copies, download, element, oneLine } from "./elements.js";
import { takeFiles } from "./files.js";
import { canonical } from "./jcs.js";
import { available, distrust, inWords, sign } from "./passkeys.js";
import { momentOf, read } from "./proposal.js";
import { agrees } from "./reading.js";
import { draw, notes } from "./says.js";
import { documentOf, fits, opens, rootOf } from "./subject.js";
import { givenMoment } from "./times.js";

const HOUR_S = 60 * 60;

const at = (id) => document.getElementById(id);
const form = at("proposal");
const candidates = new Map();

let drafted = null;
let token = "";

const plain = (text) => text.normalize("NFC").trim();

/** The draft has to be about what was asked, in this ledger, by this member; with the server's additions and no others. */
async function confirmed(asked, draft) {
  const bytes = Uint8Array.from(atob(draft.document_jcs_b64), (char) => char.charCodeAt(0));
  const shown = documentOf(toBase64url(bytes));
  if (canonical(draft.document) !== shown.text) throw distrust("The draft's bytes are not its document's. Nothing is signed: tell the operator.");
  const { document } = shown;
  const digest = await fits(shown, "proposal", draft.challenges.proposal);
  const params = { ...document.params };
  for (const field of draft.disclosures) {
    await opens(document, field);
    const given = field.name === "reason" ? asked.reason : asked.private[field.name];
    const typed = Array.isArray(given) ? given.join("\n") : given;
    if (typed === undefined || plain(field.value) !== plain(typed)) throw distrust(`The draft says another ${field.name} than you did. Nothing is signed: tell the operator.`);
    delete params[`${field.name}_digest`];
  }
  // One that is withheld would stand in the document under a digest that nobody here has opened.
  const opened = draft.disclosures.map(({ name }) => name).sort();
  if (canonical(opened) !== canonical(["reason", ...Object.keys(asked.private)].sort())) {
    throw distrust("The draft leaves out something that you said. Nothing is signed: tell the operator.");
  }
  const life = (Date.parse(document.expires_at) - Date.parse(document.proposed_at)) / 1000;
  if (life !== asked.life) throw distrust("The draft is open for another time than you chose. Nothing is signed: tell the operator.");
  if (asked.digests) {
    if (params.count !== asked.digests.length || params.root !== toHex(await rootOf(asked.digests.map(fromHex)))) {
      throw distrust("The draft is about another list than yours. Nothing is signed: tell the operator.");
    }
    for (const made of ["count", "digests", "root"]) delete params[made];
  }
  const mine = canonical(params) === canonical(asked.params) && document.type === asked.type && document.proposed_by === form.dataset.member;
  if (!mine) throw distrust("The draft asks for something else than you did. Nothing is signed: tell the operator.");
  await agrees(document, draft.names, draft.disclosures, { ...draft, inForce: await inForceFor(document) });
  if (!document.origin.endsWith(`/${tenant()}`)) throw distrust("The draft is for another ledger. Nothing is signed: tell the operator.");
  return { ...shown, digest };
}

function cell(label, text, kind) {
  return element("td", { "data-label": label, ...(kind ? { class: kind } : {}) }, text ?? "nothing");
}

function show(draft, shown, asked) {
  at("confirm-title").textContent = draft.sentence;
  at("confirm-changes").replaceChildren(...draft.changes.map((change) => element("tr", {},
    element("th", { scope: "row" }, change.what), cell("Now", change.now, change.now && change.now !== change.after && "was"), cell("After", change.after ?? "none", "new"))));
  at("confirm-reason").textContent = `“${asked.reason}”`;
  draw(shown.document, at("says-asked"), at("says-rest"), notes(draft.names, draft.disclosures));
  at("confirm-exact").textContent = JSON.stringify(shown.document, null, 2);
  at("confirm-digest").textContent = toHex(shown.digest);
  token = asked.token?.text ?? "";
  at("token").hidden = !token;
  at("token-text").textContent = token;
  at("token-kept").checked = false;
  at("sign").disabled = Boolean(token);
  clearRefusal(at("confirm-refusal"));
  at("confirm").showModal();
}

function showDistrust(error) {
  if (at("confirm").open) at("confirm").close();
  showRefusal(Object.assign(error, { title: "Do not propose on this page" }), at("distrust"));
  at("distrust").scrollIntoView({ block: "center" });
  at("draft").disabled = true;
}

function refused(error, into) {
  if (error.name === "Distrust") return showDistrust(error);
  const known = error.name === "Error" || error.name === "Refused";
  showRefusal(known ? error : inWords(error), into);
  if (error.field) error.field.focus();
  into.scrollIntoView({ block: "nearest" });
}

async function draft(event) {
  event.preventDefault();
  clearRefusal(at("refusal"));
  at("draft").disabled = true;
  try {
    const asked = await read(form, candidates);
    asked.reason = oneLine(at("reason").value);
    const begin = at("execute").value;
    if (begin) asked.params.execute_at = momentOf(begin);
    asked.life = Number(at("life").value) * HOUR_S;
    const body = { type: asked.type, params: asked.params, reason: asked.reason, expires_in_s: asked.life };
    if (Object.keys(asked.private).length > 0) body.private = asked.private;
    if (asked.digests) body.digests = asked.digests;
    const answer = await post(path("actions", "draft"), body);
    const shown = await confirmed(asked, answer);
    drafted = { answer, shown };
    show(answer, shown, asked);
    at("draft").disabled = false;
  } catch (error) {
    at("draft").disabled = false;
    refused(error, at("refusal"));
  }
}

async function propose() {
  const { answer, shown } = drafted;
  const credentials = form.dataset.credentials.split(" ").filter(Boolean);
  clearRefusal(at("confirm-refusal"));
  at("sign").disabled = true;
  try {
    if (credentials.length === 0) throw new Error("None of your authenticators signs decisions here: another one has to be added to you first.");
    announce("Waiting for your passkey …");
    const assertion = await sign(shown.digest, form.dataset.rp, credentials);
    const body = { document: shown.document, role: at("role").value, assertion, disclosures: answer.disclosures };
    if (answer.attachments) body.attachments = answer.attachments;
    await post(path("actions"), body);
    location.assign(`/t/${tenant()}/actions/${shown.document.action}`);
  } catch (error) {
    at("sign").disabled = false;
    refused(error, at("confirm-refusal"));
  }
}

/** Who was invited and has registered, for the types that need somebody. */
async function listCandidates() {
  const select = form.querySelector('[data-read="candidate"], [data-read="registered"]');
  if (!select) return;
  const purpose = select.dataset.read === "candidate" ? "enrolment" : "credential";
  const link = new URLSearchParams(location.search);
  const [candidate, member] = [link.get("candidate"), link.get("member")];
  const { candidates: all } = await get(path("candidates"));
  // One authenticator is added; a member is enrolled, or recovered, with everything that was registered.
  const fits = (one) => select.dataset.name !== "credential" || one.credentials.length === 1;
  const ready = all.filter((one) => one.purpose === purpose && one.credential && !one.enrolled && fits(one));
  const options = ready.map((one) => {
    candidates.set(one.candidate, one);
    const label = `${one.display_name ?? one.member}: ${one.credential.kind} ${one.credential.credential_id.slice(0, 8)}…`;
    const option = element("option", { value: one.candidate }, label);
    option.selected = candidate ? one.candidate === candidate : one.member === member;
    return option;
  });
  select.replaceChildren(...(options.length > 0 ? options : [element("option", { value: "" }, "Nobody has registered yet")]));
  const follow = () => {
    const chosen = candidates.get(select.value);
    const name = form.querySelector('[data-name="display_name"]');
    if (chosen && name) name.value = chosen.display_name ?? "";
    for (const box of chosen ? form.querySelectorAll('[data-name="roles"] input') : []) box.checked = chosen.roles.includes(box.value);
  };
  if (purpose === "enrolment") {
    select.addEventListener("change", follow);
    follow();
  }
}

async function listMembers(select) {
  const { members } = await get(path("members"));
  const living = members.filter(({ status }) => status !== "removed");
  select.replaceChildren(...living.map((one) => element("option", { value: one.member }, one.display_name ?? one.member)));
}

async function invite() {
  const said = at("invited");
  clearRefusal(at("refusal"));
  try {
    const member = at("invite-member");
    const name = at("invite-name")?.value.trim();
    const roles = [...form.querySelectorAll('[data-name="roles"] input:checked')].map((box) => box.value).sort();
    const made = member
      ? await post(path("members", member.value, "invitations"), form.dataset.apart ? { uses: ["approve", "sign_in"] } : {})
      : await post(path("candidates"), { roles, ...(name ? { display_name: name } : {}) });
    const link = `${made.page_url}#${made.ticket}`;
    const copy = element("button", { class: "btn", type: "button" }, "Copy the link");
    copies(copy, () => link);
    said.replaceChildren("Give this link to them alone; it is shown once and holds for a week: ", element("code", {}, link), " ", copy);
    said.hidden = false;
    announce("The invitation is made.");
  } catch (error) {
    refused(error, at("refusal"));
  }
}

/** Another slot has another policy to begin with: its form is fetched, and what stands there is taken over. */
async function policyOf(slot) {
  const wanted = slot.value;
  clearRefusal(at("refusal"));
  at("draft").disabled = true;
  try {
    const address = `${location.pathname}?slot=${encodeURIComponent(wanted)}`;
    const response = await fetch(address, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (!response.ok || response.redirected) throw new Error("The policy in force could not be read. Load the page again.");
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    if (slot.value !== wanted) return;
    for (const field of form.querySelectorAll('[data-name^="signing_policy."], [data-name^="rotation."]')) {
      field.replaceWith(next.querySelector(`[data-name="${CSS.escape(field.dataset.name)}"]`));
    }
    history.replaceState(null, "", address);
    announce(`The form begins with the policy of ${wanted} that is in force.`);
    at("draft").disabled = !available();
  } catch (error) {
    refused(error, at("refusal"));
  }
}

async function begin() {
  document.getElementById("main").dataset.liveOff = "";
  form.addEventListener("submit", draft);
  at("sign").addEventListener("click", propose);
  at("back").addEventListener("click", () => at("confirm").close());
  // The button was disabled while the draft was drawn up: the browser itself has no focus to give back.
  at("confirm").addEventListener("close", () => at("draft").focus());
  at("token-kept").addEventListener("change", (event) => { at("sign").disabled = !event.target.checked; });
  at("token-save").addEventListener("click", () => download("service.token", new Blob([`${token}\n`], { type: "text/plain" })));
  copies(at("token-copy"), () => token);
  at("invite-go")?.addEventListener("click", invite);
  for (const field of form.querySelectorAll("input[data-given]")) givenMoment(field);
  takeFiles(form, (error) => refused(error, at("refusal")));
  if (["slot.policy_set", "slot.rotation_set"].includes(form.dataset.type)) {
    const slot = form.querySelector('select[data-name="slot"]');
    slot.addEventListener("change", () => policyOf(slot));
  }
  try {
    await listCandidates();
    if (at("invite-member")) await listMembers(at("invite-member"));
  } catch (error) {
    refused(error, at("refusal"));
  }
  at("draft").disabled = !available();
  if (!available()) showRefusal(new Error("This browser has no passkeys here. Use the server's public name, over HTTPS."), at("refusal"));
}

if (form) begin();
