// The browser's own verification, run by node against the golden vectors: what the pages' modules accept and refuse.
//
// node browser.mjs VECTORS

import { readFileSync } from "node:fs";
import { strict as assert } from "node:assert";

import { toHex, utf8 } from "../../web/static/bytes.js";
import { leafHash, verifyConsistency, verifyInclusion } from "../../web/static/merkle.js";
import { canVerify, fromBase64, isSignedBy, parseCheckpoint, parseVkey, toBase64 } from "../../web/static/note.js";
import { follow, keepable, parseEvent, signerOf, trustFrom, verifyContinuation, verifyReceipt } from "../../web/static/verify.js";

const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
let checks = 0;

async function holds(what, promise) {
  await promise.catch((error) => assert.fail(`${what}: ${error.code} ${error.message}`));
  checks += 1;
}

async function refused(what, promise, code) {
  const error = await promise.then(() => assert.fail(`${what}: accepted`), (error) => error);
  if (code) assert.equal(error.code, code, what);
  assert.ok(error.code, `${what}: ${error.stack}`);
  checks += 1;
}

const hash = fromBase64;
const hex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const roots = vectors.roots_by_size.map(hex);
const flipped = (bytes) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));

assert.ok(await canVerify(), "this node has no Ed25519");
for (const [seq, event] of vectors.events.entries()) {
  assert.equal(toHex(await leafHash(utf8(event))), vectors.leaf_hashes[seq]);
  assert.equal(parseEvent(utf8(event)).seq, seq);
}

for (const { index, size, path } of vectors.inclusion) {
  const leaf = hex(vectors.leaf_hashes[index]);
  const proof = path.map(hash);
  await holds(`inclusion ${index}/${size}`, verifyInclusion(leaf, index, size, proof, roots[size - 1]));
  await refused("another root", verifyInclusion(leaf, index, size, proof, flipped(roots[size - 1])), "proof.other_root");
  await refused("a longer path", verifyInclusion(leaf, index, size, [...proof, leaf], roots[size - 1]), "proof.wrong_length");
  if (proof.length) {
    await refused("a shorter path", verifyInclusion(leaf, index, size, proof.slice(1), roots[size - 1]));
    await refused("another path", verifyInclusion(leaf, index, size, [flipped(proof[0]), ...proof.slice(1)], roots[size - 1]));
  }
  await refused("beyond the tree", verifyInclusion(leaf, size, size, proof, roots[size - 1]), "proof.no_such_leaf");
}

for (const { old, new: next, path } of vectors.consistency) {
  const proof = path.map(hash);
  const [before, after] = [roots[old - 1], roots[next - 1]];
  await holds(`consistency ${old}→${next}`, verifyConsistency(old, next, before, after, proof));
  await refused("a rewritten beginning", verifyConsistency(old, next, flipped(before), after, proof));
  await refused("another end", verifyConsistency(old, next, before, flipped(after), proof));
  if (old < next) await refused("a shrunk ledger", verifyConsistency(next, old, after, before, proof), "proof.shrinking");
  await refused("a longer path", verifyConsistency(old, next, before, after, [...proof, before]), "proof.wrong_length");
}
await refused("two roots of one size", verifyConsistency(7, 7, roots[6], flipped(roots[6]), []), "proof.other_root");

const vkey = await parseVkey(vectors.vkey);
for (const [size, note] of Object.entries(vectors.checkpoints)) {
  const checkpoint = parseCheckpoint(note);
  assert.equal(checkpoint.size, Number(size));
  assert.ok(await isSignedBy(checkpoint, vkey));
  await refused("another size", isSignedBy(parseCheckpoint(note.replace(`\n${size}\n`, `\n${size}0\n`)), vkey), "signature.invalid");
}
for (const wrong of [
  "", vectors.vkey.replace("+87", "+88"), vectors.vkey.replace("+AQ", "+Ag"), `${vectors.vkey} `, vectors.vkey.replace("vectors", "vector"),
]) {
  await refused(`vkey ${wrong}`, parseVkey(wrong));
}

const keys = await trustFrom(vectors.vkey);
const receipt = vectors.tlog_proof_5;
const proved = await verifyReceipt(receipt, keys);
assert.deepEqual([proved.event.seq, proved.signer.vkey.text], [5, vectors.vkey]);
const altered = receipt.replace(/extra (\S+)/, (_, text) => `extra ${toBase64(flipped(fromBase64(text)))}`);
await refused("altered event bytes", verifyReceipt(altered, keys));
await refused("another place", verifyReceipt(receipt.replace("index 5", "index 4"), keys), "receipt.other_place");
await refused("a stranger's key", verifyReceipt(receipt, [{ ...keys[0], vkey: await parseVkey(vectors.rotation.vkey) }]), "receipt.unknown_signer");
for (const { why, event } of vectors.refuse.filter((entry) => /JCS|whitespace|duplicate/i.test(entry.why))) {
  await refused(why, (async () => parseEvent(utf8(event)))());
}

// A succession of ledger keys: the vectors' transition, as a receipt of its event.
const { rotation } = vectors;
const leaves = [...vectors.events, rotation.event];
const path = async (index, from, to) => {
  if (to - from === 1) return [];
  const split = from + 2 ** Math.floor(Math.log2(to - from - 1));
  const [near, far] = index < split ? [[from, split], [split, to]] : [[split, to], [from, split]];
  return [...(await path(index, ...near)), await rootOf(...far)];
};
const rootOf = async (from, to) => {
  if (to - from === 1) return leafHash(utf8(leaves[from]));
  const split = from + 2 ** Math.floor(Math.log2(to - from - 1));
  const pair = [await rootOf(from, split), await rootOf(split, to)];
  return new Uint8Array(await crypto.subtle.digest("SHA-256", Buffer.concat([Buffer.of(1), ...pair])));
};
const receiptOf = async (index, note) => {
  const { size } = parseCheckpoint(note);
  const hashes = (await path(index, 0, size)).map(toBase64);
  return ["c2sp.org/tlog-proof@v1", `extra ${toBase64(utf8(leaves[index]))}`, `index ${index}`, ...hashes, "", note].join("\n");
};
const transition = await receiptOf(7, rotation.transition_checkpoint);
const followed = await follow(keys, [transition]);
assert.deepEqual(keepable(followed), [
  { vkey: vectors.vkey, first: 1, last: 8 },
  { vkey: rotation.vkey, first: 8, last: null },
]);
const again = await follow(await trustFrom(vectors.vkey, keepable(followed)), [transition]);
assert.deepEqual(keepable(again), keepable(followed));
const late = await trustFrom(rotation.vkey);
assert.equal(keepable(await follow(late, [transition])).length, 1);
for (const { why, checkpoint } of rotation.refuse) {
  const attempt = (async () => {
    const after = await follow(keys, [await receiptOf(7, checkpoint)]);
    if (after.length === 1) throw Object.assign(new Error("not followed"), { code: "not.followed" });
  })();
  await refused(why, attempt);
}
// The old key signs nothing after it handed over.
const seed = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(vectors.ed25519_seed_hex, "hex")]);
const signing = await crypto.subtle.importKey("pkcs8", seed, { name: "Ed25519" }, false, ["sign"]);
const sealed = async (text) => {
  const signature = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, signing, utf8(text)));
  return `${text}\n— ${vkey.name} ${toBase64(new Uint8Array([...vkey.keyId, ...signature]))}\n`;
};
const stale = parseCheckpoint(await sealed(`${vkey.name}\n9\n${toBase64(roots[6])}\n`));
assert.ok(await signerOf(stale, keys));
await refused("the old key after its succession", signerOf(stale, followed), "checkpoint.other_key");

// A ledger that was seen, and one that was rewritten since.
const [seen, now] = [3, 7].map((size) => parseCheckpoint(vectors.checkpoints[size]));
const kept = { size: 3, root: toBase64(seen.root), note: seen.note };
const between = vectors.consistency.find((entry) => entry.old === 3 && entry.new === 7).path.map(hash);
await holds("a ledger that grew", verifyContinuation(kept, now, between));
const rewritten = parseCheckpoint(await sealed(`${vkey.name}\n7\n${toBase64(flipped(now.root))}\n`));
await refused("a rewritten history", verifyContinuation(kept, rewritten, between));
await refused("a cut tail", verifyContinuation({ size: 7, root: toBase64(now.root), note: now.note }, seen, []), "proof.shrinking");
const fork = parseCheckpoint(await sealed(`${vkey.name}\n3\n${toBase64(flipped(seen.root))}\n`));
await refused("another root of the same size", verifyContinuation(kept, fork, []), "proof.other_root");

console.log(`ok: ${checks} checks`);
