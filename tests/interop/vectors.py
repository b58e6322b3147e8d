"""Holds the independent reader against the golden vectors: canonical bytes, chain, tree, checkpoints, disclosures, the
founding and people's assertions. Usage: vectors.py VECTORS.json"""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import reader  # noqa: E402


def refused(check):
    try:
        check()
    except (reader.Invalid, ValueError, TypeError, RecursionError, UnicodeError):
        return True
    return False


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    count = 0

    def same(found, wanted, what):
        nonlocal count
        count += 1
        if found != wanted:
            sys.exit(f"{what}: {found} is not {wanted}")

    # Key and key of the assertions are the vectors' own, so the ledger's later rules do not apply: no People.
    tree, hash_event = reader.Tree(), reader.derive_key(vectors["context"])
    for at, text in enumerate(vectors["events"]):
        line = text.encode()
        reader.envelope(line)
        same(hash_event(line).hex(), vectors["event_hashes"][at], f"hash of event {at}")
        same(hashlib.sha256(b"\0" + line).hexdigest(), vectors["leaf_hashes"][at], f"leaf {at}")
        tree.append(line)
        same(tree.root().hex(), vectors["roots_by_size"][at], f"root of size {at + 1}")
    vkey = reader.Vkey(vectors["vkey"])
    for size, note in vectors["checkpoints"].items():
        checkpoint = reader.Checkpoint(note.encode())
        same((checkpoint.size, checkpoint.signed_by(vkey)), (int(size), True), f"checkpoint {size}")
    for item in vectors["refuse"]:
        # What the chain refuses is not the envelope's to see.
        if "layer chain" not in item["why"]:
            same(refused(lambda: reader.envelope(item["event"].encode("utf-8", "surrogatepass"))), True, item["why"])
    for item in vectors["accept"]:
        reader.envelope(item["event"].encode())
        count += 1
    for item in vectors["disclosures"]:
        line = reader.canonical(item["line"].encode())
        stated = reader.jcs([line["salt"], line["name"], line["value"]]).encode()
        same(reader.b64(hashlib.sha256(stated).digest()), item["sd"], item["line"])
    document = json.loads(vectors["founding"]["document"])
    digest = hashlib.sha256(b"sealbook founding v1\0" + reader.jcs(document).encode()).hexdigest()
    same(digest, vectors["founding"]["founding_digest_hex"], "the founding digest")
    document = json.loads(vectors["action"]["document"])
    for kind, context in reader.DECISIONS.items():
        purpose = {"proposed": "proposal", "approved": "approval", "rejected": "rejection", "cancelled": "cancellation"}
        wanted = vectors["action"]["challenges_hex"][purpose[kind.split(".")[1]]]
        same(hashlib.sha256(context + reader.jcs(document).encode()).hexdigest(), wanted, kind)
    print(f"ok: {count} values")


if __name__ == "__main__":
    main(sys.argv[1])
