// Joining: an invited person registers a passkey; then a quorum decides.

import { announce, clearRefusal, get, path, post, showRefusal } from "./api.js";
import { showSteps } from "./elements.js";
import { available, createPasskey, distrust, inWords } from "./passkeys.js";
import { takeTicket } from "./ticket.js";

/** How often is asked whether the quorum has decided, in milliseconds. */
const EVERY = 5000;

const by = { bearer: takeTicket() };
const at = (id) => document.getElementById(id);
/** Under which this tab keeps the fingerprints of what was made by this very link; the server's word is held against them. */
const OWN = `sealbook.made.${by.bearer.slice(-8)}`;
const made = () => JSON.parse(sessionStorage.getItem(OWN) ?? "[]");
let invitation = null;
let over = false;

function show() {
  const { purpose, display_name: name, roles, registered, enrolled, credential_rules: rules } = invitation;
  const another = purpose === "credential";
  for (const who of document.querySelectorAll("[data-who]")) who.textContent = name ?? "You";
  const [apart, second] = [invitation.separate_sign_in, invitation.next === "sign_in"];
  at("for-both").hidden = apart;
  at("for-approving").hidden = !apart || second;
  at("for-signing-in").hidden = !apart || !second;
  const step = invitation.of < 2 ? "" : `${second ? 2 : 1} of 2: `;
  for (const place of document.querySelectorAll("[data-step-of]")) place.textContent = step;
  at("roles").textContent = roles.map((role) => role.replaceAll("_", " ")).join(", ");
  at("as").hidden = another;
  at("another").hidden = !another;
  const own = made();
  at("fingerprint").textContent = (own.length > 0 ? own : [invitation.fingerprint]).filter(Boolean).join(" and ");
  at("by-word").hidden = own.length > 0;
  if (own.length > 0 && invitation.fingerprint && !own.includes(invitation.fingerprint)) {
    over = true;
    showRefusal(Object.assign(distrust("The server holds another passkey for you than the one that this browser made. Tell whoever invited you, by another way than this page."), { title: "Not your passkey" }));
    return showSteps();
  }
  const said = [];
  if (rules.hardware_only) said.push("Only attested hardware is accepted: a security key whose maker the operator trusts.");
  if (rules.aaguids) said.push(`Only these makes are accepted (AAGUID): ${rules.aaguids.join(", ")}.`);
  at("rules").hidden = said.length === 0;
  at("rules").textContent = said.join(" ");
  return showSteps(enrolled ? "done" : registered ? "wait" : "register");
}

async function register() {
  clearRefusal();
  at("register").disabled = true;
  announce("Waiting for your authenticator …");
  try {
    const options = await post(path("candidates", "registration-options"), {}, by);
    const { passkey, fingerprint } = await createPasskey(options);
    await post(path("candidates", "register"), { passkey }, by);
    sessionStorage.setItem(OWN, JSON.stringify([...made(), fingerprint]));
    announce("");
  } catch (error) {
    announce("");
    showRefusal(inWords(error, "Not registered"));
  } finally {
    at("register").disabled = false;
  }
  await look();
}

/** Shows how far the invitation is. One that holds nothing any more says so; without an answer the page stays as it is. */
async function look() {
  try {
    invitation = await get(path("invitation"), by);
    show();
  } catch (error) {
    if (error.status !== 401) return;
    over = true;
    clearRefusal();
    showSteps("invalid");
  }
}

async function follow() {
  await look();
  if (!over && !invitation?.enrolled) setTimeout(follow, EVERY);
}

if (!by.bearer) {
  showSteps("invalid");
} else {
  at("no-passkeys").hidden = available();
  at("register").disabled = !available();
  at("register").addEventListener("click", register);
  follow();
}
