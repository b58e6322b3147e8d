// Rotations, certificates and reviews of access in a document, put into words by this browser (reading.js).

import { days, enumerated, list, may, row, span } from "./wording.js";

const USES = { code_signing: "code signing", client_auth: "client authentication", issuing: "issuing certificates" };
const ATTRIBUTES = [["organizational_unit", "OU"], ["organization", "O"], ["locality", "L"], ["province", "ST"], ["country", "C"]];

const yes = (flag) => (flag ? "yes" : "no");

/** A name as certificates write it, the common name first. */
function subject(named) {
  const rest = ATTRIBUTES.filter(([member]) => named[member] !== undefined).map(([member, short]) => `, ${short} ${named[member]}`);
  return `CN ${named.common_name}${rest.join("")}`;
}

function issuer({ kind, slot }) {
  if (kind === "slot") return `CA slot ${slot}`;
  return kind === "self" ? "itself" : "a CA elsewhere";
}

/** What a key is certified for, by whom, under which name and for how long. */
export const certified = (certificate) =>
  `certified for ${USES[certificate.usage.kind]} by ${issuer(certificate.issuer)} as ${subject(certificate.subject)} for ${span(certificate.validity_days)}`;

/** A rotation policy in a sentence. */
export function rotationPolicy(policy) {
  const { channels, certificate } = policy;
  let text = `rotated every ${days(policy.rotation_days)}, proposed by the server ${span(policy.propose_days)} before, the old key kept for ${span(policy.overlap_days)}`;
  if (channels.length === 1) text += ` and until channel ${channels[0]} has moved`;
  if (channels.length > 1) text += ` and until channels ${enumerated(channels)} have moved`;
  if (policy.old_key_signs) text += ", signing meanwhile where asked";
  if (policy.revoke_superseded) text += ", its certificate revoked then";
  return certificate ? `${text}, ${certified(certificate)}` : text;
}

function proposedAhead(count) {
  return count === 0 ? "once it is due" : `${span(count)} before it is due`;
}

function certificateRows({ issuer: by, usage, ...certificate }) {
  const further = usage.kind === "issuing" ? `, with ${usage.path_len} further CAs below` : "";
  const anchors = by.kind === "outside" ? `, up to a certificate with SHA-256 ${list(by.anchors)}` : "";
  return [
    row("Certificate issued by", `${issuer(by)}${anchors}`),
    row("Certificate names", subject(certificate.subject)),
    row("Certificate is for", `${USES[usage.kind]}${further}`),
    row("Certificate is valid for", span(certificate.validity_days)),
    row("Certificate policies", list(certificate.policies)),
    row("Revocation list of the CA", certificate.crl_url ?? "none"),
    row("Signs only under a certificate in force", yes(certificate.required)),
  ];
}

/** A rotation policy as rows, without the days that a slot is created with. */
export function besideDays(policy) {
  return [
    row("The server proposes a rotation", proposedAhead(policy.propose_days)),
    row("Channels that move before the old key retires", list(policy.channels)),
    row("Old key signs meanwhile where asked", yes(policy.old_key_signs)),
    row("Certificate of the old key", policy.revoke_superseded ? "revoked as superseded once the key has retired" : "not revoked"),
    ...(policy.certificate ? certificateRows(policy.certificate) : [row("Certificate", "none")]),
  ];
}

/** The whole of it. */
export const rotationRows = (policy) => [
  row("Replaced every", days(policy.rotation_days)),
  row("Old key stays usable for", days(policy.overlap_days)),
  ...besideDays(policy),
];

/** What the policy in force says of a certificate is the server's word. */
export const TO_COME = may(
  "Certificate that the policy in force makes",
  /^for (code signing|client authentication|issuing certificates), issued by (itself|a CA elsewhere|CA slot [a-z0-9-]+) to CN .+, valid for (1 day|\d+ days)$/,
);

/** How long the old key stays is the policy's to say, but in an emergency. */
export const rotated = (p, emergency) => [
  row(`Key of slot ${p.slot}`, "a new key, made in the same device"),
  row(`State of key ${p.old_key}`, emergency ? "deactivated as soon as the new key signs" : "deactivated once its overlap is over"),
  emergency ? row("Old key stays usable for", "not at all") : may("Old key stays usable for", /^\d+ days$/),
  TO_COME,
];

/** So many who can reach a device. */
const holders = (count) => (count === 1 ? "1 person or machine" : `${count} people and machines`);

/** A validation of a device's module. */
const validated = ({ certificate, level }) => `FIPS 140 certificate ${certificate} at level ${level}`;

/** What was found of who can reach a device. */
export const review = (p) =>
  `Put on record that ${holders(p.holder_count)} can reach ${p.backend}, reviewed ${p.findings_digest ? "with" : "without"} findings${p.fips ? `, and that it runs under ${validated(p.fips)}` : ""}`;

export const reviewed = (p) => [
  row("Device whose access was reviewed", p.backend),
  row("People and machines that can reach it", String(p.holder_count)),
  row("Who they are, by digest", p.holders_digest),
  row("Findings, by digest", p.findings_digest ?? "none"),
  row("FIPS 140 certificate of the device", p.fips ? validated(p.fips) : "none"),
];
