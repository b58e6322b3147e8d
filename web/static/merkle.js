// The tree of RFC 6962 §2.1 with SHA-256: leaves, nodes, and what proofs about it prove (RFC 9162 §2.1.3.2, §2.1.4.2).
//
// Sizes are numbers up to 2^53: they are halved by division, for JavaScript's shifts end at 2^31.

import { concat, equal, sha256 } from "./bytes.js";

/** Hashes that a proof has at most: one for each bit of a size. */
export const MAX_PATH = 64;

/** Why a proof proves nothing; `code` is what the offline verifier calls it. */
export class ProofError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "ProofError";
    this.code = code;
  }
}

/** SHA-256(0x00 ‖ bytes). */
export const leafHash = (bytes) => sha256(concat(Uint8Array.of(0), bytes));

/** SHA-256(0x01 ‖ left ‖ right). */
export const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

const isSize = (value) => Number.isSafeInteger(value) && value >= 0;
const isOdd = (value) => value % 2 === 1;
const half = (value) => Math.floor(value / 2);
const wrongLength = (path) =>
  new ProofError("proof.wrong_length", `The proof has ${path.length} hashes, which is not what its sizes demand.`);

/** Where a walk towards the root stands: a node and the last node of its level. */
class Climb {
  constructor(node, last) {
    this.node = node;
    this.last = last;
  }

  up() {
    this.node = half(this.node);
    this.last = half(this.last);
  }

  get atRoot() {
    return this.last === 0;
  }

  /** Takes one hash of the path, and says on which side that sibling stands; null where the root is reached. */
  step() {
    if (this.atRoot) return null;
    const right = isOdd(this.node);
    const left = right || this.node === this.last;
    // A last node without a sibling rises unchanged until it is a right child.
    if (left && !right) while (!isOdd(this.node) && this.node !== 0) this.up();
    this.up();
    return left ? "left" : "right";
  }
}

function bounded(path) {
  if (path.length > MAX_PATH || path.some((hash) => hash.length !== 32)) throw wrongLength(path);
}

/** Throws unless the leaf with this hash stands at `index` in the tree of `size` leaves with this root. */
export async function verifyInclusion(leaf, index, size, path, root) {
  if (!isSize(index) || !isSize(size) || index >= size) {
    throw new ProofError("proof.no_such_leaf", `There is no leaf ${index} in a tree of ${size} leaves.`);
  }
  bounded(path);
  const climb = new Climb(index, size - 1);
  let hash = leaf;
  for (const sibling of path) {
    const side = climb.step();
    if (side === null) throw wrongLength(path);
    hash = side === "left" ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling);
  }
  if (!climb.atRoot) throw wrongLength(path);
  if (!equal(hash, root)) {
    throw new ProofError("proof.other_root", "The proof leads to another root than the one that was signed.");
  }
}

const otherOldRoot = () =>
  new ProofError("proof.other_old_root", "The proof does not begin at the earlier root: history was rewritten.");

/** Throws unless the tree of `next` leaves begins with the `old` leaves under `oldRoot`. */
export async function verifyConsistency(old, next, oldRoot, newRoot, path) {
  if (!isSize(old) || !isSize(next) || old > next) {
    throw new ProofError("proof.shrinking", `A tree of ${next} leaves does not extend one of ${old}.`);
  }
  bounded(path);
  if (old === 0 && !equal(oldRoot, await sha256(new Uint8Array()))) throw otherOldRoot();
  if (old === 0 || old === next) {
    if (path.length > 0) throw wrongLength(path);
    if (old === next && !equal(oldRoot, newRoot)) {
      throw new ProofError("proof.other_root", "Two different roots are shown for the same size.");
    }
    return;
  }
  const climb = new Climb(old - 1, next - 1);
  while (isOdd(climb.node)) climb.up();
  // A complete old tree is itself a node of the new one: its root is not repeated in the path.
  const complete = climb.node === 0;
  const [first, ...rest] = complete ? [oldRoot, ...path] : path;
  if (first === undefined) throw wrongLength(path);
  let [oldHash, newHash] = [first, first];
  for (const sibling of rest) {
    const side = climb.step();
    if (side === null) throw wrongLength(path);
    if (side === "left") {
      oldHash = await nodeHash(sibling, oldHash);
      newHash = await nodeHash(sibling, newHash);
    } else {
      newHash = await nodeHash(newHash, sibling);
    }
  }
  if (!climb.atRoot) throw wrongLength(path);
  if (!equal(oldHash, oldRoot)) throw otherOldRoot();
  if (!equal(newHash, newRoot)) {
    throw new ProofError("proof.other_root", "The proof leads to another root than the one that was signed.");
  }
}
