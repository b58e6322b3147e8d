// The browser's own reading of action documents, run by node against drafts of the server: what is accepted and refused.
//
// node readings.mjs DRAFTS

import { readFileSync } from "node:fs";
import { strict as assert } from "node:assert";

import { agrees } from "../../web/static/reading.js";
import { says } from "../../web/static/says.js";

const { drafts, policy } = JSON.parse(readFileSync(process.argv[2], "utf8"));
let checks = 0;

const judge = ({ document, names, disclosures, sentence, changes }) => agrees(document, names, disclosures, { sentence, changes, inForce: policy });

async function refused(what, draft) {
  let error = null;
  try {
    await judge(draft);
  } catch (thrown) {
    error = thrown;
  }
  assert.equal(error?.name, "Distrust", `${what}: ${error?.stack ?? "accepted"}`);
  checks += 1;
}

// Here the server alone knows which rows there are: they tell what differs from the state. (The sentence says the whole.)
const BY_STATE = ["approval_rp.set"];
const byState = ({ document: { type } }, { document: { type: other } }) =>
  (BY_STATE.includes(type) && type === other) || (type === "member.recover" && other === "member.restore");

/** Every text, number and flag in a value. */
const leaves = (value) => (typeof value === "object" ? Object.values(value).flatMap(leaves) : [String(value)]);
const canonicalRow = ({ what, now, after }) => JSON.stringify([what, now, after]);

for (const [at, draft] of drafts.entries()) {
  const { type } = draft.document;
  await judge(draft).catch((error) => assert.fail(`${type}: ${error.stack}`));

  // The list holds every member's value, whatever the type.
  const told = says(draft.document).map(({ text }) => text).join("\n");
  for (const leaf of leaves(draft.document)) assert.ok(told.includes(leaf), `${type}: ${leaf} is not in the list`);

  // Another document's sentence, or table, or a row of it.
  for (const [place, other] of drafts.entries()) {
    if (place === at) continue;
    if (other.sentence !== draft.sentence) await refused(`${type} with the sentence of ${other.document.type}`, { ...draft, sentence: other.sentence });
    if (JSON.stringify(other.changes) !== JSON.stringify(draft.changes) && !byState(draft, other)) {
      await refused(`${type} with the table of ${other.document.type}`, { ...draft, changes: other.changes });
    }
    const own = draft.changes.map(canonicalRow);
    const foreign = other.changes.find((row) => !own.includes(canonicalRow(row)));
    if (foreign && !byState(draft, other)) await refused(`${type} with one more row`, { ...draft, changes: [...draft.changes, foreign] });
  }

  // Something else in the place of each "after", and of what it is about.
  for (const place of draft.changes.keys()) {
    const altered = (more) => ({ ...draft, changes: draft.changes.map((row, n) => (n === place ? { ...row, ...more } : row)) });
    await refused(`${type}: another thing`, altered({ what: `${draft.changes[place].what}!` }));
    await refused(`${type}: another after`, altered({ after: `${draft.changes[place].after ?? ""}!` }));
  }
  if (!BY_STATE.includes(type)) {
    await refused(`${type} without its first row`, { ...draft, changes: draft.changes.slice(1) });
  }

  // A name that the action does not bring itself.
  if (draft.disclosures.some(({ name }) => name === "display_name")) {
    const id = draft.document.params.member ?? draft.document.params.service;
    const swap = (text) => text?.replaceAll(draft.names[id], "Mallory");
    const changes = draft.changes.map(({ what, now, after }) => ({ what: swap(what), now, after: swap(after) }));
    await refused(`${type} under another name`, { ...draft, names: { ...draft.names, [id]: "Mallory" }, sentence: swap(draft.sentence), changes });
    // Or what would open it is withheld, and the document's own name is said, or another.
    const withheld = draft.disclosures.filter(({ name }) => name !== "display_name");
    await refused(`${type} with a name that nothing opens`, { ...draft, disclosures: withheld });
  }
}
console.log(`ok: ${drafts.length} documents read, ${checks} forgeries refused`);
