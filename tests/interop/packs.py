"""Checks what an evidence pack holds as an auditor without our programs would: written from docs/spec alone, with Python's
standard library and openssl. `check.py` of docs/spec/packs.md §8 is about the archive and its signature; this is about what
lies in it: every receipt leads its event to the one sealed root, and what the evidence says of the rotation in short is
what those events say.

Usage: packs.py check PACK VKEY
       packs.py add PACK NAME OUT           the pack with one file more, well-formed otherwise
       packs.py graft PACK OTHER OUT        the other pack under the signed statement of the first
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from reader import Checkpoint, Vkey, envelope, unb64  # noqa: E402


def members(path):
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


# ---------------------------------------------------------------------------------------------------------- receipts

def root(leaf, index, size, path):
    """The root that an inclusion path leads to (RFC 9162 §2.1.3.2)."""
    node, at, last = hashlib.sha256(b"\0" + leaf).digest(), index, size - 1
    for other in path:
        assert last > 0, "a path that is too long"
        if at & 1 or at == last:
            node = hashlib.sha256(b"\1" + other + node).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + other).digest()
        at, last = at >> 1, last >> 1
    assert last == 0, "a path that is too short"
    return node


def receipt(data, vkey):
    """The event of a receipt, and the checkpoint that it leads to."""
    proof, note = data.decode().split("\n\n", 1)
    kind, extra, index, *path = proof.split("\n")
    assert kind == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
    line, index = base64.b64decode(extra[6:], validate=True), int(index[6:])
    checkpoint, event = Checkpoint(note.encode()), envelope(line)
    assert checkpoint.signed_by(vkey), "sealed by another key"
    assert (event["seq"], event["origin"]) == (index, checkpoint.origin), "another event's receipt"
    found = root(line, index, checkpoint.size, [base64.b64decode(node, validate=True) for node in path])
    assert found == checkpoint.root, f"event {index} is not under the root"
    return event, note


# ---------------------------------------------------------------------------------------------------------- rotation

def holds(spki, digest, signature):
    """Whether openssl accepts a signature over a SHA-256 digest: ECDSA, or RSA with PKCS#1 v1.5."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", spki), ("digest", digest), ("signature", signature)):
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-pkeyopt", "digest:sha256",
                   "-in", "digest", "-sigfile", "signature"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def rotation(events, said):
    """What the events say of a rotation in short."""
    def of(kind, **wanted):
        return [event for event in events if event["type"] == kind
                and all(event["data"].get(name) == value for name, value in wanted.items())]

    [started] = of("rotation.started", action=said["rotation"])
    ended = of("rotation.completed", action=said["rotation"])
    [authorized] = of("key.generation_authorized", action=said["rotation"])
    new = authorized["data"]["key"]
    [made] = of("key.generated", key=new)
    certificates = [event["data"]["certificate"] for event in of("certificate.ordered", key=new)]
    issued = [event["data"] for event in of("certificate.issued") if event["data"]["certificate"] in certificates]
    thumbprint = hashlib.sha256(unb64(issued[-1]["der"])).hexdigest()
    assert thumbprint == issued[-1]["fingerprint"]

    purposes = {event["seq"]: event["data"].get("purpose", {}) for event in of("signature.authorized", key=new)}
    canary = [seq for seq, purpose in purposes.items()
              if purpose.get("kind") == "canary" and purpose["action"] == said["rotation"]]
    signed = [event["data"] for event in of("signature.created") if event["data"]["authorization"] in canary]
    spki = unb64(made["data"]["spki"])
    verified = [one for one in signed if holds(spki, bytes.fromhex(one["digest"]), unb64(one["signature"]))]
    if started["data"]["emergency"]:
        # Break-glass tries a message of the rotation's own.
        message = b"sealbook canary v1\0" + said["rotation"].encode()
        assert [one["digest"] for one in signed] == [hashlib.sha256(message).hexdigest()], "another canary"
    return {
        "correlation_id": started["correlation"],
        "emergency": started["data"]["emergency"],
        "new_certificate_thumbprint": thumbprint,
        "new_key": new,
        "old_key": started["data"]["old_key"],
        "outcome": "completed" if ended else "failed",
        "rotation": said["rotation"],
        "slot": started["data"]["slot"],
        "verification_results": {
            "canary_failed": len(canary) - len(verified), "canary_signed": len(signed),
            "canary_verified": len(verified), "certificate_path": "pass",
        },
    }


def check(path, vkey):
    files, vkey = dict(members(path)), Vkey(vkey)
    read = [receipt(data, vkey) for name, data in files.items() if name.startswith("receipts/")]
    events = sorted((event for event, _ in read), key=lambda event: event["seq"])
    assert len({note for _, note in read}) == 1, "more than one checkpoint"
    evidence = json.loads(files["evidence.json"])
    listed = [{name: event[name] for name in ("seq", "time", "type")} for event in events]
    assert evidence["events"] == listed, "the evidence lists other events"
    said, found = evidence["rotation_event"], rotation(events, evidence["rotation_event"])
    assert said == found, f"the evidence says {said}, the events say {found}"
    print(json.dumps({"receipts": len(read), "rotation_event": found}))


# ------------------------------------------------------------------------------------------------------------ forger

def write(path, found):
    """A pack's one encoding (docs/spec/packs.md §3), whatever is in it."""
    out, directory = b"", b""
    for name, data in found:
        about = struct.pack("<5H3I2H", 10, 0, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), 0)
        directory += struct.pack("<4sH", b"PK\1\2", 0x030A) + about
        directory += struct.pack("<3H2I", 0, 0, 0, 0x81A40000, len(out)) + name.encode()
        out += b"PK\3\4" + about + name.encode() + data
    count = len(found)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)
    with open(path, "wb") as file:
        file.write(out + directory + end)


def add(path, name, out):
    first, *files, last = members(path)
    write(out, [first, *sorted([*files, (name, b"nothing to see here\n")]), last])


def graft(path, other, out):
    write(out, [*members(other)[:-1], members(path)[-1]])


if __name__ == "__main__":
    {"check": check, "add": add, "graft": graft}[sys.argv[1]](*sys.argv[2:])
