// What an action's document says, put into words by this browser: the sentence and the "after" of every change. A server's
// words are compared with these before a passkey is asked for. The server's are in server/src/views/{sentence,changes};
// tests/interop holds both against each other, for every type.
//
// Names are the server's word, and stand beside the ids that they are said to belong to (says.js); one that an action
// itself brings is opened from the document. What the server says of the state now is its own word too.

import { fromBase64url, sha256, toHex, utf8 } from "./bytes.js";
import { canonical } from "./jcs.js";
import { distrust } from "./passkeys.js";
import { certificateRows, destroyed, destroyedRows, keyRows, revokedCertificate, revokedKey } from "./revocations.js";
import { TO_COME, besideDays, certified, review, reviewed, rotated, rotationPolicy, rotationRows } from "./rotations.js";
import { counted, days, enumerated, list, may, moment, row, words } from "./wording.js";

const KINDS = { hardware: "hardware authenticator", synced: "synced passkey", unattested: "unattested authenticator", software: "software key" };
const A_KIND = { hardware: "a hardware authenticator", synced: "a synced passkey", unattested: "an unattested authenticator", software: "a software authenticator" };
const USUAL_POLICY = { artifact_fields: [], callers: ["services"], environments: ["development", "production", "staging"], release: "durable", v: 1 };
const USUAL_CADENCE = { access_review_days: 90, drill_days: 92, ledger_key_days: 365, rotation_days: 90 };
const RECOVERY_HOURS = 72;

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const slots = (names) => (names.length === 0 ? "no slot" : `${names.length === 1 ? "slot" : "slots"} ${enumerated(names)}`);
const authenticator = ({ kind, credential_id: id }) => `${KINDS[kind]} ${id.slice(0, 8)}…`;
const seats = (quorum) => quorum.reduce((sum, { count }) => sum + count, 0);
/** What a cell of the server's lists. */
const items = (cell) => (cell === "none" ? [] : cell.split(", "));

function timed({ role, not_before: from, not_after: until }) {
  return `${words(role)}${from ? ` from ${moment(from)}` : ""}${until ? ` until ${moment(until)}` : ""}`;
}

function signingPolicy(policy) {
  const { approval = [], artifact_fields: fields, rate_per_minute: rate } = policy;
  let text = `${enumerated(policy.callers.map(words))} may sign for ${enumerated(policy.environments)}`;
  if (rate !== undefined) text += `, at most ${rate} a minute`;
  if (fields.length > 0) text += `, naming the artifact's ${enumerated(fields)}`;
  if (approval.length > 0) text += `, each signature for ${enumerated(approval)} only once people have approved it`;
  return `${text}, released once ${policy.release === "sealed" ? "sealed" : "recorded"}`;
}

function ledgerPolicy({ actions, cadence, credentials }) {
  const usual = (type) => type.startsWith("signing.") || type === "member.recover";
  const single = Object.keys(actions).sort().filter((type) => seats(actions[type].quorum) === 1 && !usual(type));
  const alone = single.length === 0 ? "every change takes at least two approvals" : `one approval is enough for ${enumerated(single)}`;
  const hardware = credentials.hardware_only ? "; only hardware authenticators enrol" : "";
  const { rotation_days: longest } = { ...USUAL_CADENCE, ...cadence };
  const longer = longest > USUAL_CADENCE.rotation_days ? `; a slot may go on with one key for ${longest} days` : "";
  return `Replace the ledger policy, which says who may propose and approve what: ${alone}${hardware}${longer}`;
}

function granted(p, who) {
  const asked = `Give ${who} the role ${p.role}`;
  if (p.not_before && p.not_after) return `${asked} from ${moment(p.not_before)} until ${moment(p.not_after)}`;
  if (p.not_before) return `${asked} from ${moment(p.not_before)} on`;
  return p.not_after ? `${asked} until ${moment(p.not_after)}` : asked;
}

function created(p, owner) {
  const asked = `Create slot ${p.slot}${p.drill ? ", for drills alone" : ""} (${p.algorithm} in ${p.backend}), owned by ${owner}, rotated every ${counted(p.rotation_days, "day")}${p.rotation?.certificate ? `, ${certified(p.rotation.certificate)}` : ""}`;
  return canonical(p.signing_policy) === canonical(USUAL_POLICY) ? asked : `${asked}; ${signingPolicy(p.signing_policy)}`;
}

/** What each type asks for. `who` and `machine` put names to ids. */
const SENTENCES = {
  "approval_rp.set": ({ approval_rp: rp }) => `Take approvals for ${rp.id} from ${enumerated(rp.origins)} from then on${rp.shared ? ", where approval credentials also sign in" : ""}`,
  "credential.add": (p, who) => `Add ${A_KIND[p.credential.kind]} to ${who(p.member)}`,
  "certificate.issue": (p) => `Issue a certificate for key ${p.key} of slot ${p.slot}, as the slot's rotation policy says`,
  "certificate.revoke": revokedCertificate,
  "credential.remove": (p, who) => `Remove authenticator ${p.credential_id} from ${who(p.member)}`,
  "hsm.access_review": review,
  "key.adopt": (p, who) => `Adopt key “${p.label}” in ${p.slot.backend}, whose public key has SHA-256 ${p.spki_sha256}: c${created(p.slot, who(p.slot.owner)).slice(1)}`,
  "key.destroy": destroyed,
  "key.revoke": (p) => `Revoke ${revokedKey(p)}`,
  "key.revoke_emergency": (p) => `Emergency: revoke ${revokedKey(p)}`,
  "key.rotate": (p) => `Replace key ${p.old_key} of slot ${p.slot} by a new one`,
  "key.rotate_emergency": (p) => `Emergency: replace key ${p.old_key} of slot ${p.slot} by a new one, without an overlap`,
  "ledger.evidence_key_set": (p) => `Make a new key in ${p.backend} that signs evidence documents`,
  "ledger.key_recover": (p) => `Continue this ledger under the standby ledger key in ${p.backend}`,
  "ledger.key_rotate": (p) => `Replace the ledger key, which seals this ledger, by a new one in ${p.backend}`,
  "member.enroll": (p, who) => `Enrol ${who(p.member)} as ${p.roles.length === 0 ? "a member without a role" : enumerated(p.roles)} with ${enumerated(p.credentials.map(({ kind }) => A_KIND[kind]))}`,
  "member.recover": (p, who) => `Recover ${who(p.member)}: ${enumerated(p.credentials.map(({ kind }) => A_KIND[kind]))} instead of every authenticator before, after ${RECOVERY_HOURS} hours in which any member may refuse`,
  "member.remove": (p, who) => `Remove ${who(p.member)} for good`,
  "member.restore": (p, who) => `Lift the suspension of ${p.credential_id ? `authenticator ${p.credential_id} of ` : ""}${who(p.member)}`,
  "policy.set": (p) => ledgerPolicy(p.policy),
  "role.grant": (p, who) => granted(p, who(p.member)),
  "role.revoke": (p, who) => `Take the role ${p.role} from ${who(p.member)}`,
  "rules.adopt": (p) => `Adopt rules version ${p.rules} from then on`,
  "service.enroll": (p, _, machine) => `Enrol ${machine(p.service)} to use ${slots(p.slots)}, with a token valid until ${moment(p.token_expires_at)}`,
  "service.grant": (p, _, machine) => `Let ${machine(p.service)} use ${slots(p.slots)} and nothing else${p.token ? `, with a new token valid until ${moment(p.token.expires_at)}` : ""}`,
  "service.remove": (p, _, machine) => `Remove ${machine(p.service)} for good`,
  "service.restore": (p, _, machine) => `Lift the suspension of ${machine(p.service)}`,
  "signing.approve": (p) => `Let slot ${p.slot} sign the one digest ${p.digest} for ${p.environment}, once`,
  "signing.batch": (p) => `Let slot ${p.slot} sign ${counted(p.count, "listed digest")} for ${p.environment}, each once`,
  "slot.create": (p, who) => created(p, who(p.owner)),
  "slot.policy_set": (p) => `Replace the signing policy of slot ${p.slot}: ${signingPolicy(p.signing_policy)}`,
  "slot.resume": (p) => `Lift the suspension of slot ${p.slot}, so that it signs again`,
  "slot.rotation_set": (p) => `Replace the rotation policy of slot ${p.slot}: ${rotationPolicy(p.rotation)}`,
};

function clauses(policy, as) {
  return [
    as("Who may ask for signatures", list(policy.callers.map(words))),
    as("Environments that may be signed for", list(policy.environments)),
    as("Environments where people approve each signature", list(policy.approval ?? [])),
    as("What a caller says about an artifact", list(policy.artifact_fields)),
    as("Signatures a minute", policy.rate_per_minute === undefined ? "no limit" : `at most ${policy.rate_per_minute}`),
    as("A signature leaves the server", policy.release === "sealed" ? "once a checkpoint covers its event" : "once its event is recorded"),
  ];
}

/** A ledger policy as rows, clause by clause. */
function policyClauses({ actions, cadence, credentials }) {
  const often = { ...USUAL_CADENCE, ...cadence };
  const rules = Object.entries(actions).flatMap(([type, { proposers, quorum }]) => [
    row(`Quorum of ${type}`, list(quorum.map(({ count, role }) => `${count} × ${words(role)}`))),
    row(`Who proposes ${type}`, list(proposers.map(words))),
  ]);
  return [
    ...rules,
    row("Authenticators that may be enrolled", credentials.hardware_only ? "attested hardware only" : "any kind"),
    row("Makes that may be enrolled", credentials.aaguids ? list(credentials.aaguids) : "any make"),
    row("Longest that a slot goes on with one key", days(often.rotation_days)),
    row("Ledger key replaced every", days(often.ledger_key_days)),
    row("Access to devices reviewed every", days(often.access_review_days)),
    row("Drill held every", days(often.drill_days)),
  ];
}

/** What differs between the policy in force and another one: here nothing is the server's word. */
function policyRows(inForce, policy) {
  const now = new Map(policyClauses(inForce).map(({ what, after }) => [what, after]));
  const differing = policyClauses(policy).filter(({ what, after }) => now.get(what) !== after);
  if (differing.length === 0) return [row("Ledger policy", "the same policy; every open proposal is voided all the same")];
  return [...differing, row("Open proposals", "void: they were made under the old policy")];
}

function slotCreated(p, who, key) {
  return [
    row("Slot", p.drill ? `${p.slot}, for drills alone` : p.slot),
    row("Key", key),
    row("Owner", who(p.owner)),
    row("Replaced every", days(p.rotation_days)),
    row("Old key stays usable for", days(p.overlap_days)),
    ...(p.rotation ? besideDays(p.rotation) : []),
    ...clauses(p.signing_policy, row),
  ];
}

const held = (now, more) => list([...items(now), ...more]);
const CHANGES = {
  "approval_rp.set": ({ approval_rp: rp }) => [
    row("Web origins that may ask for approvals", list(rp.origins)),
    may("Domain of approval credentials", rp.id),
    may("Approval credentials also sign in", rp.shared ? "yes" : "no"),
  ],
  "credential.add": (p, who) => [
    row(`Authenticators of ${who(p.member)}`, (now) => held(now, [authenticator(p.credential)])),
    row("Make of the new one (AAGUID)", p.credential.aaguid),
    row("Its id", p.credential.credential_id),
    row("Relying party", p.credential.rp_id),
  ],
  "certificate.issue": (p) => [row(`Certificate of key ${p.key}`, `a new one, as the rotation policy of slot ${p.slot} says`), TO_COME],
  "certificate.revoke": certificateRows,
  "credential.remove": (p, who) => [
    row(`Authenticator ${p.credential_id}`, null),
    row(`Authenticators of ${who(p.member)}`, (now) => list(items(now).filter((one) => !one.endsWith(` ${p.credential_id.slice(0, 8)}…`)))),
  ],
  "hsm.access_review": reviewed,
  "key.adopt": (p, who) => [
    ...slotCreated(p.slot, who, `${p.slot.algorithm}, in ${p.slot.backend} already as “${p.label}”`),
    row("SHA-256 of its public key", p.spki_sha256),
  ],
  "key.destroy": destroyedRows,
  "key.revoke": keyRows,
  "key.revoke_emergency": keyRows,
  "key.rotate": (p) => rotated(p, false),
  "key.rotate_emergency": (p) => rotated(p, true),
  "ledger.evidence_key_set": (p) => [row("Key that signs evidence documents", `a new key, made in ${p.backend}`)],
  "ledger.key_recover": (p) => [row("Key that seals this ledger", `the standby key in ${p.backend}`), may("Announced digest of the standby", /^[0-9a-f]{64}$/)],
  "ledger.key_rotate": (p) => [row("Key that seals this ledger", `a new key in ${p.backend}`)],
  "member.enroll": (p, who) => [
    row("Member", who(p.member)),
    row(`Roles of ${who(p.member)}`, list(p.roles.map(words))),
    row("Authenticators", list(p.credentials.map(authenticator))),
  ],
  "member.recover": (p, who) => [
    row(`Authenticators of ${who(p.member)}`, `${list(p.credentials.map(authenticator))}, and none of those before`),
    row("Wait before it takes effect", `${RECOVERY_HOURS} hours`),
    may(who(p.member), (now) => `still ${now}: that is a quorum's to lift`),
  ],
  "member.remove": (p, who) => [row(who(p.member), "removed, for good"), row(`Roles of ${who(p.member)}`, null), row(`Authenticators of ${who(p.member)}`, null)],
  "member.restore": (p, who) => [row(p.credential_id ? `Authenticator ${p.credential_id} of ${who(p.member)}` : who(p.member), "active")],
  "policy.set": (p, _, __, inForce) => policyRows(inForce, p.policy),
  "role.grant": (p, who) => [row(`Roles of ${who(p.member)}`, (now) => held(now, [timed(p)]))],
  "role.revoke": (p, who) => [row(`Roles of ${who(p.member)}`, (now) => list(items(now).filter((one) => one !== words(p.role) && !one.startsWith(`${words(p.role)} `))))],
  "rules.adopt": (p) => [row("Rules that govern this ledger", `version ${p.rules}`)],
  "service.enroll": (p, _, machine) => [
    row("Service", machine(p.service)),
    row("Slots that it may use", list(p.slots)),
    row("Its token holds until", moment(p.token_expires_at)),
    row("SHA-256 of its token", p.token_sha256),
  ],
  "service.grant": (p, _, machine) => [
    row(`Slots that ${machine(p.service)} may use`, list(p.slots)),
    ...(p.token ? [row("Token", `another one until ${moment(p.token.expires_at)}; the one before no longer holds`), row("SHA-256 of the new token", p.token.sha256)] : []),
  ],
  "service.remove": (p, _, machine) => [row(capital(machine(p.service)), "removed, for good"), row("Slots that it may use", null)],
  "service.restore": (p, _, machine) => [row(capital(machine(p.service)), "active")],
  "signing.approve": (p) => [row(`Slot ${p.slot} may sign this digest for ${p.environment}`, "once"), row("Digest", p.digest)],
  "signing.batch": (p) => [row(`Slot ${p.slot} may sign the listed digests for ${p.environment}`, `each of ${p.count} once`), row("Root of the tree over the list", p.root)],
  "slot.create": (p, who) => slotCreated(p, who, `${p.algorithm}, made and kept in ${p.backend}`),
  "slot.policy_set": (p) => clauses(p.signing_policy, row),
  "slot.resume": (p) => [row(`Slot ${p.slot}`, "signs")],
  "slot.rotation_set": (p) => rotationRows(p.rotation),
};

function named(names) {
  const known = (id) => (Object.hasOwn(names, id) ? names[id] : undefined);
  return [(id) => known(id) ?? `member ${id}`, (id) => `service ${known(id) ?? id}`];
}

/** The sentence of a document. */
export function sentenceOf({ type, params }, names) {
  const begin = params.execute_at ? `; not before ${moment(params.execute_at)}` : "";
  return `${SENTENCES[type](params, ...named(names))}${begin}.`;
}

function is(expected, text, now) {
  if (expected === null) return text === undefined || text === "none";
  if (expected instanceof RegExp) return text !== undefined && expected.test(text);
  return (typeof expected === "function" ? expected(now ?? "none") : expected) === text;
}

/**
 * Refuses a server's sentence and rows (`{what, now, after}`, as the API gives them) unless they say what the document
 * says: each row's "after" in the document's own words, and none left out. An action that has ended has no "now" to
 * compare with; its rows are not looked at. For `policy.set`, `said.inForce` is the policy that the document names.
 */
export async function agrees(document, names, disclosures, said) {
  const refuse = (what) => distrust(`The ${what} on this page does not say what the document says. Nothing is signed: tell the operator.`);
  const { type, params } = document;
  if (!Object.hasOwn(SENTENCES, type)) throw distrust("This page is older than this type of action. Load it again.");
  const own = disclosures.find(({ name }) => name === "display_name");
  const subject = params.member ?? params.service;
  // The document commits to a name: it is that one, or none.
  if (own ? names[subject] !== own.value : params.display_name_digest && Object.hasOwn(names, subject)) throw refuse("name");
  if (said.sentence !== sentenceOf(document, names)) throw refuse("sentence");
  if (!said.changes) return;
  if (type === "policy.set" && toHex(await sha256(utf8(canonical(said.inForce)))) !== document.policy) throw refuse("policy in force");
  const expected = CHANGES[type](params, ...named(names), said.inForce);
  for (const credential of params.credentials ?? [params.credential].filter(Boolean)) {
    const fingerprint = toHex(await sha256(fromBase64url(credential.cose_public_key)));
    expected.push(row(`Fingerprint of ${authenticator(credential)}`, fingerprint));
  }
  if (params.execute_at) expected.push(row("Takes effect", `not before ${moment(params.execute_at)}`));
  const rows = [...said.changes];
  for (const { what, after, may: optional } of expected) {
    const place = rows.findIndex((one) => is(what, one.what));
    if (place < 0 && optional) continue;
    if (place < 0 || !is(after, rows[place].after, rows[place].now)) throw refuse("table");
    rows.splice(place, 1);
  }
  if (rows.length > 0) throw refuse("table");
}
