"""Reads a bundle as an auditor without our programs would: written from the ledger format alone, with Python's standard
library and openssl. It shares no code with Sealbook.

Usage: reader.py BUNDLE VKEY [FOUNDING_DIGEST]
Prints one JSON object {verdict, layer, seq, reason, events, chain, assertions, disclosures, transitions}; exits 0, 1 or 2.

It judges bytes, chain, seals and founding, people's assertions and disclosures. It does not replay the rules and does not
check the released signatures: what fails there alone is valid to it.
"""

import base64
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from blake3 import derive_key  # noqa: E402

LARGEST = 2**53 - 1
EVENT_KEYS = {"v", "origin", "seq", "time", "type", "actor", "correlation", "prev", "data"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
DECISIONS = {
    "action.proposed": b"sealbook proposal v1\0",
    "action.approved": b"sealbook approval v1\0",
    "action.rejected": b"sealbook rejection v1\0",
    "action.cancelled": b"sealbook cancellation v1\0",
}


class Invalid(Exception):
    """The bundle does not hold."""

    def __init__(self, layer, reason, seq=None):
        super().__init__(reason)
        self.layer, self.reason, self.seq = layer, reason, seq


class CantJudge(Exception):
    """Something that this reader was not written for."""


# ------------------------------------------------------------------------------------------------- bytes (RFC 8785)

def jcs(value):
    """The canonical form; numbers are integers here."""
    constants = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return constants[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(escaped, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(jcs(key) + ":" + jcs(value[key]) for key in keys) + "}"
    raise ValueError(f"no place for {value!r}")


def escaped(char):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    if char in short:
        return short[char]
    return f"\\u{ord(char):04x}" if ord(char) < 0x20 else char


def canonical(line):
    """The object that the bytes are the canonical form of."""

    def pairs(items):
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key twice")
        return found

    def integer(text):
        number = int(text)
        if text == "-0" or abs(number) > LARGEST:
            raise ValueError(f"the number {text}")
        return number

    def refuse(text):
        raise ValueError(f"the number {text}")

    value = json.loads(line.decode("utf-8"), object_pairs_hook=pairs, parse_int=integer, parse_float=refuse,
                       parse_constant=refuse)
    if not isinstance(value, dict) or jcs(value).encode("utf-8") != line:
        raise ValueError("not its own canonical form")
    return value


def envelope(line):
    """An event's canonical form and envelope; whether it follows the one before it is not asked here."""
    event = canonical(line)
    if set(event) != EVENT_KEYS or event["v"] != 1 or not isinstance(event["data"], dict):
        raise ValueError("not an event")
    if len(line) > 65535 or depth(event) > 16 or not TIME.match(event["time"]):
        raise ValueError("beyond an event's bounds")
    datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return event


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def unb64(text):
    """base64url without padding, in its one spelling."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise ValueError("base64 in another spelling")
    return data


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# -------------------------------------------------------------------------------------------------- tree (RFC 6962)

class Tree:
    """The roots of the complete subtrees, from the largest to the smallest."""

    def __init__(self):
        self.size, self.roots = 0, []

    def append(self, data):
        node, size = hashlib.sha256(b"\0" + data).digest(), self.size
        while size & 1:
            node = hashlib.sha256(b"\1" + self.roots.pop() + node).digest()
            size >>= 1
        self.roots.append(node)
        self.size += 1

    def root(self):
        if not self.roots:
            return hashlib.sha256(b"").digest()
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


# ------------------------------------------------------------------------------------------------ openssl and notes

def openssl(public_der, message, signature, *how):
    """Whether openssl accepts the signature."""
    with tempfile.TemporaryDirectory() as folder:
        def file(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(data)
            return path

        key, text, sig = file("key", public_der), file("message", message), file("signature", signature)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin", *how, "-in", text,
                   "-sigfile", sig]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ed25519(public, message, signature):
    return openssl(bytes.fromhex("302a300506032b6570032100") + public, message, signature)


def es256(x, y, message, signature):
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\4" + x + y
    return openssl(spki, message, signature, "-digest", "sha256")


class Vkey:
    """A C2SP verifier key."""

    def __init__(self, text):
        self.text = text
        self.name, key_id, key = text.split("+", 2)
        data = base64.b64decode(key, validate=True)
        if data[0] != 1 or len(data) != 33:
            raise CantJudge("a vkey that is not Ed25519")
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != key_id:
            raise Invalid("seals", "a vkey whose hash is not its own")
        self.public = data[1:]


class Checkpoint:
    """A C2SP checkpoint in its signed note."""

    def __init__(self, note):
        text, _, signatures = note.decode("utf-8").rpartition("\n\n")
        self.text = (text + "\n").encode()
        lines = text.split("\n")
        if len(lines) != 3 or str(int(lines[1])) != lines[1]:
            raise Invalid("seals", "not a checkpoint")
        self.origin, self.size, self.root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        self.signatures = []
        for line in signatures.rstrip("\n").split("\n"):
            dash, name, data = line.split(" ")
            if dash != "\u2014":
                raise Invalid("seals", "not a signature line")
            self.signatures.append((name, base64.b64decode(data, validate=True)))

    def signed_by(self, vkey):
        ours = [data[4:] for name, data in self.signatures if name == vkey.name and data[:4] == vkey.id]
        return bool(ours) and all(ed25519(vkey.public, self.text, signature) for signature in ours)


# ------------------------------------------------------------------------------------------------ people (WebAuthn)

def cose(data):
    """x and y of an ES256 key: CBOR map {1: 2, 3: -7, -1: 1, -2: x, -3: y}, in its deterministic form."""
    head, middle = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
    if len(data) != 77 or data[:10] != head or data[42:45] != middle:
        raise CantJudge("a credential that is not ES256")
    return data[10:42], data[45:]


def assertion_holds(stated, credential, rp, context, document):
    """Says why an assertion does not hold; None where it does."""
    challenge = b64(hashlib.sha256(context + jcs(document).encode()).digest())
    client_data, authenticator = unb64(stated["client_data_json"]), unb64(stated["authenticator_data"])
    client = json.loads(client_data)
    if client.get("type") != "webauthn.get" or client.get("challenge") != challenge:
        return "the challenge is another document's"
    if client.get("origin") not in rp["origins"] or client.get("crossOrigin") is True or "topOrigin" in client:
        return "it was made for another site"
    if authenticator[:32] != hashlib.sha256(rp["id"].encode()).digest() or len(authenticator) < 37:
        return "it was made for another relying party"
    if authenticator[32] & 5 != 5:
        return "nobody was present and verified"
    x, y = cose(unb64(credential["cose_public_key"]))
    signed = authenticator + hashlib.sha256(client_data).digest()
    if not es256(x, y, signed, unb64(stated["signature"])):
        return "the signature does not verify"
    return None


class People:
    """Credentials as the ledger enrols them, and whether what is signed with them holds."""

    def __init__(self, founding_digest):
        self.pinned, self.founding, self.checked = founding_digest, None, 0
        self.credentials, self.documents, self.rp = {}, {}, None

    def enrol(self, member, credentials):
        for credential in credentials:
            self.credentials[member, credential["credential_id"]] = credential

    def event(self, event):
        kind, data = event["type"], event["data"]
        if kind == "member.enrolled":
            self.enrol(data["member"], data["credentials"])
        elif kind == "credential.added":
            self.enrol(data["member"], [data["credential"]])
        elif kind == "approval_rp.set":
            self.rp = data["approval_rp"]
        elif kind == "ledger.founded":
            self.founded(event, data)
        elif kind in DECISIONS:
            document = data["document"] if kind == "action.proposed" else self.documents.get(data["action"])
            if document is None:
                raise Invalid("rules", "a decision on no action", event["seq"])
            self.documents[document["action"]] = document
            if kind == "action.proposed" and event["actor"]["kind"] == "service":
                # Nobody signs a service's proposal, which can be about signatures alone.
                if "member" in data or not document["type"].startswith("signing."):
                    raise Invalid("rules", "more than a service may propose", event["seq"])
            else:
                self.check(event, data, DECISIONS[kind], document)

    def lists(self, attachments):
        """Whether the lists that people saw are those that they let be signed."""
        for document in self.documents.values():
            if document["type"] == "signing.batch":
                params, tree = document["params"], Tree()
                data = attachments.get("attachments/" + params["digests"]["sha256"], b"")
                size = len(data) // params["count"]
                for at in range(params["count"]):
                    tree.append(data[at * size:(at + 1) * size])
                if not data or size * params["count"] != len(data) or tree.root().hex() != params["root"]:
                    raise Invalid("rules", f"the list of action {document['action']} is not what its root stands for")

    def founded(self, event, data):
        document, context = data["document"], b"sealbook founding v1\0"
        self.founding = hashlib.sha256(context + jcs(document).encode()).hexdigest()
        if self.pinned and self.founding != self.pinned:
            raise Invalid("rules", "another founding than the one that was pinned", event["seq"])
        self.rp = document["approval_rp"]
        signers = [stated["member"] for stated in data["assertions"]]
        founders = [founder["member"] for founder in document["founders"]]
        if sorted(signers) != sorted(founders) or len(set(signers)) != len(signers):
            raise Invalid("rules", "not signed by every founder", event["seq"])
        for stated in data["assertions"]:
            self.check(event, stated, context, document)

    def check(self, event, stated, context, document):
        credential = self.credentials.get((stated["member"], stated["credential_id"]))
        if credential is None:
            raise Invalid("rules", "signed with a credential that nobody enrolled", event["seq"])
        why = assertion_holds(stated, credential, self.rp, context, document)
        if why:
            raise Invalid("rules", why, event["seq"])
        self.checked += 1


# ---------------------------------------------------------------------------------------------------------- bundles

class Ledger:
    """A bundle's events, read in order."""

    def __init__(self, vkey, founding_digest):
        self.people, self.tree = People(founding_digest), Tree()
        self.hash, self.prev = derive_key("sealbook 2026-11-22 event v1"), "0" * 64
        self.keys = [(0, Vkey(vkey))]
        self.origin = self.keys[0][1].name
        self.referred, self.sizes = {}, {}

    def line(self, line):
        seq = self.tree.size
        try:
            event = envelope(line)
        except (ValueError, TypeError, RecursionError) as error:
            raise Invalid("bytes", str(error), seq) from error
        if event["origin"] != self.origin or event["seq"] != seq or event["prev"] != self.prev:
            raise Invalid("chain", "does not follow the event before it", seq)
        self.prev = self.hash(line).hex()
        self.tree.append(line)
        self.sizes[self.tree.size] = self.tree.root()
        self.keys_of(event)
        self.referred[seq] = set(event["data"].get("_sd", []))
        self.people.event(event)

    def keys_of(self, event):
        if event["type"] == "ledger.opened" and event["data"]["vkey"] != self.keys[0][1].text:
            raise Invalid("seals", "opened with another key than the one that was pinned", event["seq"])
        if event["type"] == "ledger.key_rotated":
            self.keys.append((self.tree.size, Vkey(event["data"]["vkey"])))
        if event["type"] in ("ledger.key_recovered", "ledger.rules_adopted"):
            raise CantJudge(f"{event['type']} is beyond this reader")

    def seal(self, checkpoint, transitions):
        if checkpoint.origin != self.origin or checkpoint.size != self.tree.size:
            raise Invalid("seals", "the checkpoint is not of these events")
        for (_, old), (size, new) in zip(self.keys, self.keys[1:]):
            note = transitions.pop(size, None)
            if note is None or note.size != size or note.origin != self.origin:
                raise Invalid("seals", f"no transition to the key of event {size - 1}")
            if note.root != self.sizes[size] or not note.signed_by(old) or not note.signed_by(new):
                raise Invalid("seals", f"the transition of size {size} does not hold")
        if transitions:
            raise Invalid("seals", "a transition without a change of keys")
        if checkpoint.root != self.sizes[self.tree.size] or not checkpoint.signed_by(self.keys[-1][1]):
            raise Invalid("seals", "the checkpoint does not hold")

    def disclose(self, lines):
        seen = set()
        for line in lines:
            item = canonical(line)
            if set(item) != {"name", "salt", "seq", "value"} or len(unb64(item["salt"])) != 16:
                raise Invalid("bytes", "not a disclosure")
            stated = jcs([item["salt"], item["name"], item["value"]]).encode()
            digest = b64(hashlib.sha256(stated).digest())
            if digest not in self.referred.get(item["seq"], ()) or (item["seq"], item["name"]) in seen:
                raise Invalid("bytes", "a disclosure that no event refers to", item["seq"])
            seen.add((item["seq"], item["name"]))
        return len(seen)


def members(path):
    """The archive's files in order, each once."""
    found = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if not member.isreg() or member.name in found:
                    raise Invalid("bytes", f"the member {member.name}")
                found[member.name] = archive.extractfile(member).read()
    except tarfile.TarError as error:
        raise Invalid("bytes", f"not a tar: {error}") from error
    return found


def lines(data):
    if data and not data.endswith(b"\n"):
        raise Invalid("bytes", "a line without its end")
    return data[:-1].split(b"\n") if data else []


def read(path, vkey, founding_digest):
    found = members(path)
    known = re.compile(r"(manifest\.json|vkeys\.txt|checkpoint|disclosures\.jsonl|events\.jsonl"
                       r"|transitions/\d+|attachments/[0-9a-f]{64})\Z")
    strangers = [name for name in found if not known.match(name)]
    if strangers or not {"checkpoint", "events.jsonl"} <= set(found):
        raise Invalid("bytes", f"not the members of a bundle: {strangers}")
    ledger = Ledger(vkey, founding_digest)
    for line in lines(found["events.jsonl"]):
        ledger.line(line)
    transitions = {int(name.split("/")[1]): Checkpoint(data) for name, data in found.items() if "transitions/" in name}
    count = len(transitions)
    ledger.seal(Checkpoint(found["checkpoint"]), transitions)
    for name, data in found.items():
        if name.startswith("attachments/") and hashlib.sha256(data).hexdigest() != name.split("/")[1]:
            raise Invalid("bytes", f"{name} has another content")
    ledger.people.lists(found)
    disclosures = ledger.disclose(lines(found.get("disclosures.jsonl", b"")))
    return {"verdict": "valid", "events": ledger.tree.size, "root": ledger.tree.root().hex(), "head": ledger.prev,
            "founding": ledger.people.founding, "assertions": ledger.people.checked, "disclosures": disclosures,
            "transitions": count}


def main(arguments):
    try:
        found, code = read(arguments[0], arguments[1], "".join(arguments[2:3]) or None), 0
    except Invalid as failure:
        found = {"verdict": "invalid", "layer": failure.layer, "seq": failure.seq, "reason": failure.reason}
        code = 1
    except (ValueError, KeyError, IndexError) as error:
        found, code = {"verdict": "invalid", "layer": "bytes", "seq": None, "reason": repr(error)}, 1
    except CantJudge as limit:
        found, code = {"verdict": "cant_judge", "reason": str(limit)}, 2
    print(json.dumps(found))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
