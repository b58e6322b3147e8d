// The founding ceremony: register, wait for the others, read the document, sign its digest, keep the pins.

import { announce, clearRefusal, get, path, post, showRefusal } from "./api.js";
import { equal, fromHex, toHex } from "./bytes.js";
import { copies, download, element, labelCells, row, showSteps, stamp } from "./elements.js";
import { canonical, digestOf } from "./jcs.js";
import { digestOfField } from "./subject.js";
import { available, createPasskey, distrust, inWords, sign } from "./passkeys.js";
import { takeTicket } from "./ticket.js";

/** How often the others' progress is asked for, in milliseconds. */
const EVERY = 2000;

const ticket = takeTicket();
const by = { bearer: ticket };
const at = (id) => document.getElementById(id);
/** Where this browser keeps what was registered here by this very link: several founders may share a browser. */
const own = `sealbook.founder.${location.pathname}.${ticket.slice(-8)}`;

let seen = "";
let founding = null;
let busy = false;
let over = false;

const words = (role) => role.replaceAll("_", " ");
const list = (items) => items.map(words).join(", ");

/** By member, the names that open digests of the document. */
let names = new Map();
/** Why nobody should sign what the server shows, if there is a reason. */
let doubt = null;
let doubted = false;

/** Until there is a document, names are what the invitations say; from then on only those that it commits to. */
function nameOf(member) {
  const place = founding.candidates.findIndex((candidate) => candidate.member === member);
  const said = founding.document ? names.get(member) : founding.candidates[place]?.display_name;
  return said ?? `Founder ${place + 1}`;
}

/** Opens the digest that the document holds for each founder's name; what opens none is not shown, and not signed. */
async function readNames({ founders, policy }) {
  names = new Map();
  doubt = null;
  if (canonical(policy) !== canonical(founding.policy)) {
    doubt = distrust("What the server says of the policy is about another one than the document holds. Nothing is signed: tell the operator.");
  }
  if (canonical(founders.map(({ member, roles }) => [member, roles])) !== canonical(founding.candidates.map(({ member, roles }) => [member, roles]))) {
    doubt ??= distrust("The document names other founders, or other roles, than the list on this page. Nothing is signed: tell the operator.");
  }
  for (const [place, { member, _sd: digests = [] }] of founders.entries()) {
    const candidate = founding.candidates.find((one) => one.member === member);
    const opened = candidate?.disclosure && await digestOfField(candidate.disclosure);
    if (digests.length === 0 && !candidate?.display_name) continue;
    const fits = digests.length === 1 && digests[0] === opened && candidate.disclosure.name === "display_name";
    if (fits && candidate.disclosure.value === candidate.display_name) names.set(member, candidate.display_name);
    else doubt ??= distrust(`The name that the server gives for founder ${place + 1} is not the one that the document commits to. Nothing is signed: tell the operator.`);
  }
}

const KINDS = {
  hardware: "attested hardware",
  synced: "synced passkey",
  unattested: "passkey, unattested",
  software: "software key",
};

function showFounders() {
  const rows = founding.candidates.map((candidate) => {
    const name = element("b", {}, nameOf(candidate.member));
    const you = candidate.member === founding.you ? " (you)" : "";
    const state = candidate.signed ? "signed" : candidate.registered ? "registered" : "invited";
    const entry = founding.document?.founders.find(({ member }) => member === candidate.member);
    const who = element("td", {}, name, you, element("small", {}, list((entry ?? candidate).roles)));
    const kind = candidate.kind ? KINDS[candidate.kind] : "—";
    return element("tr", {}, who, element("td", {}, kind), element("td", {}, stamp(`chip-${state}`)));
  });
  at("founders").replaceChildren(...rows);
  labelCells(at("founders"));
}

function showRules() {
  const { hardware_only: hardware, aaguids } = founding.credential_rules;
  const rules = [];
  if (hardware) rules.push("Only attested hardware is accepted: a security key whose maker the operator trusts.");
  if (aaguids) rules.push(`Only these makes are accepted (AAGUID): ${aaguids.join(", ")}.`);
  at("rules").hidden = rules.length === 0;
  at("rules").textContent = rules.join(" ");
}

/** `2 × approver, 1 × security reviewer`. */
const clauses = (quorum) => quorum.map(({ count, role }) => `${count} × ${words(role)}`).join(", ");

function showPolicy(policy) {
  const rows = Object.entries(policy.actions).map(([type, rule]) => {
    return row(element("code", {}, type), list(rule.proposers), clauses(rule.quorum));
  });
  at("policy").replaceChildren(...rows);
  labelCells(at("policy"));
  const deviations = founding.policy_deviations.map((sentence) => element("li", {}, sentence));
  at("deviations").replaceChildren(...deviations);
  at("deviates").hidden = deviations.length === 0;
}

/** An authenticator of the document, with what it is for. */
function called({ kind, rp_id: id }, rp) {
  const use = id !== rp.id ? "signs in" : rp.shared ? "approves and signs in" : "approves";
  return `${KINDS[kind]} (${use}, for ${id})`;
}

/** The document in plain words, read from the document whose digest is signed; its names open digests in it. */
async function showDocument(document) {
  const digest = await digestOf("sealbook founding v1", document);
  const rp = document.approval_rp;
  at("origin").textContent = document.origin;
  at("vkey").textContent = document.vkey;
  at("digest").textContent = toHex(digest);
  at("rp").textContent = `${rp.id}, from ${rp.origins.join(", ")}; ${rp.shared ? "the same passkeys sign in" : "these passkeys never sign in"}`;
  const people = document.founders.map((founder) =>
    row(element("b", {}, nameOf(founder.member)), list(founder.roles), founder.credentials.map((made) => called(made, rp)).join("; ")));
  at("people").replaceChildren(...people);
  labelCells(at("people"));
  showPolicy(document.policy);
  at("exact").textContent = canonical(document);
}

/** What is signed, once this browser has confirmed that it is what is shown. */
async function confirmed() {
  const { document, founding_digest: claimed, vkey, you } = founding;
  await readNames(document);
  if (doubt) throw doubt;
  const digest = await digestOf("sealbook founding v1", document);
  if (!equal(digest, fromHex(claimed))) {
    throw distrust("The server's digest is not that of the document on this page. Nothing is signed: tell the operator.");
  }
  if (document.vkey !== vkey || document.origin !== founding.origin) {
    throw distrust("The document names another ledger than the server does. Nothing is signed: tell the operator.");
  }
  const self = document.founders.find((founder) => founder.member === you);
  const rp = document.approval_rp;
  const listed = self?.credentials.map((credential) => credential.credential_id) ?? [];
  const ids = self?.credentials.filter(({ rp_id: id }) => id === rp.id).map((credential) => credential.credential_id) ?? [];
  const registered = localStorage.getItem(own)?.split(" ") ?? [];
  const others = registered.length > 0 && (listed.length !== registered.length || !registered.every((id) => listed.includes(id)));
  if (ids.length === 0 || others) {
    throw distrust("The document lists another passkey for you than those you registered. Nothing is signed: tell the operator.");
  }
  return { digest, ids, rpId: rp.id };
}

/** Does something that takes a passkey, once at a time, and says how it went. */
async function attempt(button, waiting, title, work) {
  if (busy) return;
  busy = true;
  clearRefusal();
  button.disabled = true;
  announce(waiting);
  try {
    await work();
    announce("");
  } catch (error) {
    announce("");
    showRefusal(inWords(error, title));
    at("notice").scrollIntoView({ block: "nearest" });
  } finally {
    busy = false;
    button.disabled = false;
  }
  await look();
}

function register(event) {
  event.preventDefault();
  return attempt(at("register"), "Waiting for your authenticator …", "Not registered", async () => {
    const you = founding.candidates.find((candidate) => candidate.member === founding.you);
    const options = await post(path("founding", "registration-options"), {}, by);
    const { id, passkey } = await createPasskey(options);
    const name = at("name").value.trim();
    await post(path("founding", "candidates"), { passkey, ...(name ? { display_name: name } : {}) }, by);
    const before = you?.next === "sign_in" ? localStorage.getItem(own) : null;
    localStorage.setItem(own, before ? `${before} ${id}` : id);
  });
}

function signDocument() {
  return attempt(at("sign"), "Waiting for your passkey …", "Not signed", async () => {
    const { digest, ids, rpId } = await confirmed();
    const assertion = await sign(digest, rpId, ids);
    await post(path("founding", "assertions"), { member: founding.you, ...assertion }, by);
  });
}

function pinKey() {
  return `sealbook.pin.${founding.origin}`;
}

function pinned() {
  try {
    const { vkey, founding: digest } = JSON.parse(localStorage.getItem(pinKey()) ?? "{}");
    return vkey === founding.document.vkey && digest === at("digest").textContent;
  } catch {
    return false;
  }
}

function pin() {
  const pins = { vkey: founding.document.vkey, founding: at("digest").textContent };
  localStorage.setItem(pinKey(), JSON.stringify(pins));
  announce("Pinned in this browser.");
  showPin();
}

function showPin() {
  at("pin").disabled = pinned();
  at("pinned").hidden = !pinned();
}

async function certificate() {
  const response = await fetch(path("birth-certificate"), {
    headers: { authorization: `Bearer ${ticket}` }, credentials: "omit", redirect: "error",
  });
  if (!response.ok) throw new Error("The certificate could not be fetched.");
  download(`${at("main").dataset.tenant}-birth-certificate.pdf`, await response.blob());
}

function showCodes() {
  const image = (svg) => `data:image/svg+xml;base64,${btoa(svg)}`;
  at("vkey-code").src = image(founding.codes.vkey);
  at("digest-code").src = image(founding.codes.founding_digest);
  at("vkey-text").textContent = founding.document.vkey;
  at("digest-text").textContent = at("digest").textContent;
}

async function show() {
  const you = founding.candidates.find((candidate) => candidate.member === founding.you);
  at("state").replaceChildren(stamp(`state-${founding.state}`));
  if (founding.document) await readNames(founding.document);
  showFounders();
  showRules();
  if (!you?.registered) {
    if (!at("name").value) at("name").value = you?.display_name ?? "";
    const second = you?.next === "sign_in";
    at("for-approving").hidden = !founding.separate_sign_in || second;
    at("for-signing-in").hidden = !second;
    at("for-both").hidden = founding.separate_sign_in;
    at("register-name").hidden = second;
    return showSteps("register");
  }
  if (!founding.document) return showSteps("wait");
  await showDocument(founding.document);
  if (founding.state === "founded") {
    showCodes();
    showPin();
    return showSteps("done", "document");
  }
  if (doubt) {
    doubted = true;
    showRefusal(Object.assign(doubt, { title: "Do not sign" }));
    return showSteps("document");
  }
  if (doubted) clearRefusal();
  doubted = false;
  at("sign-now").hidden = you.signed;
  at("signed-already").hidden = !you.signed;
  return showSteps("document", "sign");
}

async function refresh() {
  const answer = await get(path("founding"), by);
  const text = JSON.stringify(answer);
  if (text === seen) return;
  seen = text;
  founding = answer;
  await show();
}

/** Shows how far the founding is. A link that holds nothing any more says so; without an answer the page says that. */
async function look() {
  try {
    await refresh();
    at("lost").hidden = true;
  } catch (error) {
    over = error.status === 401;
    at("lost").hidden = over;
    if (!over) return;
    clearRefusal();
    showSteps("invalid");
    at("present").hidden = true;
  }
}

async function follow() {
  if (!busy) await look();
  if (!over && founding?.state !== "founded") setTimeout(follow, document.hidden ? 5 * EVERY : EVERY);
}

at("register-form").addEventListener("submit", register);
at("sign").addEventListener("click", signDocument);
at("pin").addEventListener("click", pin);
at("certificate").addEventListener("click", () => certificate().catch((error) => showRefusal(error)));
at("save-pins").addEventListener("click", () => {
  const tenant = at("main").dataset.tenant;
  download(`${tenant}.vkey`, new Blob([`${founding.document.vkey}\n`]));
  download(`${tenant}.founding`, new Blob([`${at("digest").textContent}\n`]));
});
copies(at("copy-vkey"), () => founding.document.vkey);
copies(at("copy-digest"), () => at("digest").textContent);

if (!ticket) {
  showSteps("invalid");
  at("present").hidden = true;
} else {
  at("register").disabled = !available();
  at("sign").disabled = !available();
  at("no-passkeys").hidden = available();
  follow();
}
