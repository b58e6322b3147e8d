// Revocations, and keys that a device is to forget, in a document, put into words by this browser (reading.js).

import { may, moment, row, words } from "./wording.js";

const BECAUSE = {
  affiliation_changed: "its owner's affiliation changed",
  cessation_of_operation: "it is no longer needed",
  key_compromise: "somebody else may hold or have used it",
  privilege_withdrawn: "its privileges were withdrawn",
  superseded: "another key took its place",
};
const BECAUSE_OF_CERTIFICATE = {
  ...BECAUSE,
  key_compromise: "somebody else may hold or have used its key",
  superseded: "another certificate took its place",
};

const since = (time) => (time ? `, since ${moment(time)}` : "");

/** After "revoke": a key that is to be believed no more. */
export const revokedKey = (p) => `key ${p.key} for good, because ${BECAUSE[p.reason]}${since(p.compromised_since)}`;

/** A certificate that is to be believed no more, while its key goes on. */
export const revokedCertificate = (p) =>
  `Revoke certificate ${p.certificate} for good, and not its key, because ${BECAUSE_OF_CERTIFICATE[p.reason]}${since(p.invalid_since)}`;

/** A key that its device is to forget. */
export const destroyed = (p) => `Destroy key ${p.key}: its device forgets it, and nothing is signed with it ever again`;

// Which certificates a key has, and whose a certificate is, is the server's word: the document names the one or the other.

export const keyRows = (p) => [
  row(`State of key ${p.key}`, `${p.reason === "key_compromise" ? "compromised" : "deactivated"}, for good`),
  row("Reason on record", words(p.reason)),
  ...(p.compromised_since ? [row("Signatures are doubted since", moment(p.compromised_since))] : []),
  may("Certificates revoked with it", /^[0-9a-f]{64}(, [0-9a-f]{64})*$/),
  may(/^Slot [a-z0-9-]+$/, "signs nothing: its key is revoked"),
];

export const certificateRows = (p) => [
  row(`Certificate ${p.certificate}`, "revoked for good"),
  row("Reason on record", words(p.reason)),
  ...(p.invalid_since ? [row("Not to be believed since", moment(p.invalid_since))] : []),
  may("Its key, which stays as it is", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  may("Slot", /^[a-z0-9-]+$/),
  may("SHA-256 of the certificate", /^[0-9a-f]{64}$/),
];

export const destroyedRows = (p) => [
  row(`Key ${p.key}`, "destroyed: the device forgets it; what it signed can still be verified"),
  may("Slot", /^[a-z0-9-]+$/),
  may("Before that", "its last revocation list, which never expires"),
];
