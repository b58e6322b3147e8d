// What a form asks for: its fields as the parameters of an action document, each read in the way that it says.

import { sha256, toBase64url, toHex } from "./bytes.js";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A moment as documents write it: UTC, to the microsecond. */
const written = (date) => date.toISOString().replace(/\.(\d{3})Z$/, ".$1000Z");

/** A moment that people entered in their own zone. */
export const momentOf = (value) => written(new Date(value));

const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** Sets a member by its dotted path. */
function put(params, name, value) {
  const path = name.split(".");
  const last = path.pop();
  let at = params;
  for (const part of path) at = at[part] ??= {};
  at[last] = value;
}

function wrong(message, field) {
  return Object.assign(new Error(message), { title: "Not yet", field });
}

/** Digests and names, as `sha256sum` prints them. */
function listOf(text, field) {
  const rows = linesOf(text).map((line) => {
    const [, digest, name] = /^([0-9a-fA-F]+)(?:\s+\*?(.+))?$/.exec(line) ?? [];
    if (!digest || digest.length % 2) throw wrong(`This line does not begin with a digest in hex: ${line}`, field);
    return { digest: digest.toLowerCase(), name: name ?? "" };
  });
  const named = rows.filter(({ name }) => name);
  if (named.length !== 0 && named.length !== rows.length) throw wrong("Name every artifact of the list, or none.", field);
  return { digests: rows.map(({ digest }) => digest), names: named.map(({ name }) => name) };
}

/** A JSON object. */
function objectOf(text, field) {
  let value = null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`This is no JSON: ${error.message}`, field);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("A JSON object begins with { and ends with }.", field);
  return value;
}

/** A service's new token. It stays in this browser; its SHA-256 is what is asked for. */
async function newToken(days) {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return {
    text: `sbt_${toBase64url(secret)}`,
    sha256: toHex(await sha256(secret)),
    expires_at: written(new Date(Date.now() + days * DAY_MS)),
  };
}

/** The policy on which the editor stands, with what was changed in it. */
function policyOf(editor) {
  const policy = JSON.parse(editor.dataset.policy);
  for (const rule of editor.querySelectorAll("[data-rule]")) {
    const held = policy.actions[rule.dataset.rule];
    const seats = [...rule.querySelectorAll("[data-seat]")];
    if (seats.some((seat) => seat.value !== seat.defaultValue)) {
      const asked = seats.map((seat) => ({ count: Number(seat.value || 0), role: seat.dataset.seat }));
      held.quorum = asked.filter(({ count }) => count > 0);
    }
    const boxes = [...rule.querySelectorAll("[data-proposer]")];
    if (boxes.some((box) => box.checked !== box.defaultChecked)) {
      held.proposers = boxes.filter((box) => box.checked).map((box) => box.dataset.proposer).sort();
    }
  }
  const intervals = [...editor.querySelectorAll("[data-cadence]")];
  if (intervals.some((interval) => interval.value !== interval.defaultValue)) {
    policy.cadence = Object.fromEntries(intervals.map((interval) => [interval.dataset.cadence, Number(interval.value)]));
  }
  policy.credentials.hardware_only = editor.querySelector("[data-hardware]").checked;
  const makes = linesOf(editor.querySelector("[data-aaguids]").value).map((make) => make.toLowerCase());
  if (makes.length > 0) policy.credentials.aaguids = [...new Set(makes)].sort();
  else delete policy.credentials.aaguids;
  return policy;
}

/**
 * Reads a form. `candidates` are those of the API, by id. Answers `{params, private, digests, token}`, the last two only
 * where the type has them.
 */
export async function read(form, candidates) {
  const asked = { type: form.dataset.type, params: {}, private: {}, digests: undefined, token: undefined };
  const { params } = asked;
  for (const field of form.querySelectorAll("[data-read]")) {
    const { name } = field.dataset;
    const value = typeof field.value === "string" ? field.value.trim() : "";
    switch (field.dataset.read) {
      case "text":
        put(params, name, value);
        break;
      case "private":
        if (value) asked.private[name] = value;
        break;
      case "lines":
        put(params, name, [...new Set(linesOf(value))].sort());
        break;
      case "holders": {
        const holders = [...new Set(linesOf(value))];
        put(params, "holder_count", holders.length);
        asked.private[name] = holders;
        break;
      }
      case "json":
        if (value) put(params, name, objectOf(value, field));
        break;
      case "slot_key": {
        const [slot, key, policy] = value.split(" ");
        Object.assign(params, { slot, [name]: key, policy });
        break;
      }
      case "number":
        if (value) put(params, name, Number(value));
        break;
      case "moment":
        if (value) put(params, name, momentOf(value));
        break;
      case "set":
        put(params, name, [...field.querySelectorAll("input:checked")].map((box) => box.value).sort());
        break;
      case "flag":
        put(params, name, field.checked);
        break;
      case "id":
        put(params, name, crypto.randomUUID());
        break;
      case "policy":
        put(params, name, policyOf(field));
        break;
      case "credential": {
        const [member, credential] = value.split(" ");
        params.member = member;
        if (credential) params.credential_id = credential;
        break;
      }
      case "candidate":
      case "registered": {
        const found = candidates.get(value);
        if (!found) throw wrong("Choose somebody who has registered an authenticator.", field);
        params.member = found.member;
        if (name === "credential") params.credential = found.credential;
        else params.credentials = found.credentials;
        break;
      }
      case "token": {
        if (!value) break;
        asked.token = await newToken(Number(value));
        const { sha256: hash, expires_at: end } = asked.token;
        if (name === "token") params.token = { expires_at: end, sha256: hash };
        else Object.assign(params, { token_expires_at: end, token_sha256: hash });
        break;
      }
      case "list": {
        const { digests, names } = listOf(value, field);
        asked.digests = digests;
        if (names.length > 0) asked.private.names = names;
        break;
      }
      default:
        throw new Error("This page is older than its module. Load it again.");
    }
  }
  const fips = [...form.querySelectorAll("[data-name^='fips.']")];
  if (params.fips && Object.keys(params.fips).length < fips.length) {
    throw wrong("Give the FIPS 140 certificate and its level, or neither.", fips.find(({ value }) => !value));
  }
  finishSlot(params);
  // An adoption is about a slot as its creation would be.
  if (form.dataset.type === "key.adopt") finishSlot(params.slot);
  return asked;
}

/** What a form leaves out of policies, for it is always the same or stands in another field. */
function finishSlot(params) {
  if (params.drill === false) delete params.drill;
  if (params.signing_policy) finishPolicy(params.signing_policy);
  if (!params.rotation) return;
  const { rotation_days = params.rotation.rotation_days, overlap_days = params.rotation.overlap_days } = params;
  Object.assign(params.rotation, { rotation_days, overlap_days, v: 1 });
  const { certificate } = params.rotation;
  // Documents list each thing once, in order.
  for (const [held, name] of [[certificate, "policies"], [certificate?.issuer, "anchors"]]) {
    if (Array.isArray(held?.[name])) held[name] = [...new Set(held[name])].sort();
  }
}

/** A signing policy has a version, and says nothing of approvals where there are none. */
function finishPolicy(policy) {
  policy.v = 1;
  if (policy.approval.length === 0) delete policy.approval;
}
