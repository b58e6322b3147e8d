"""Renews the pictures of this folder from the screens that the tests in a browser have taken.

    cargo test -p integration --test browser && python3 docs/screens/renew.py     (or: make screens)

Each is cut to its top and written with a palette: a page has few colours, and most of them are shades of its letters.
"""

import struct
import sys
import zlib
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
SCREENS = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "target") / "screens"

# The picture, the journey and the screen that it is of, and how many of its rows are shown.
PICTURES = {
    "inbox": ("pages", "inbox-1440-light", 1000),
    "action": ("actions", "action-pending-1440-light", 1500),
    "action-dark": ("actions", "action-emergency-1440-dark", 1100),
    "slots": ("pages", "slots-1440-light", 900),
    "slot": ("pages", "slot-suspended-1440-light", 1100),
    "ledger": ("verification", "event-verified-1440-light", 1100),
    "founding": ("whole-way", "found-sign-1440-light", 1100),
    "health": ("pages", "health-1440-light", 900),
}
COLOURS = 256


def pixels(data):
    """Width, and the rows of a PNG of 8 bits a channel without interlace, as lists of RGB."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, _, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and colour in (2, 6) and interlace == 0
            size = 3 if colour == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, stride, before, rows = zlib.decompress(packed), width * size, bytes(width * size), []
    for start in range(0, len(raw), stride + 1):
        filtered, row = raw[start], bytearray(raw[start + 1:start + 1 + stride])
        if filtered == 1:
            for x in range(size, stride):
                row[x] = (row[x] + row[x - size]) & 255
        elif filtered == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, before))
        elif filtered in (3, 4):
            for x in range(stride):
                left, up = (row[x - size] if x >= size else 0), before[x]
                if filtered == 3:
                    guess = (left + up) // 2
                else:
                    corner = before[x - size] if x >= size else 0
                    near = [abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)]
                    guess = (left, up, corner)[near.index(min(near))]
                row[x] = (row[x] + guess) & 255
        rows.append([bytes(row[x:x + 3]) for x in range(0, stride, size)])
        before = row
    return width, rows


def png(width, rows):
    """A PNG with a palette of the colours that are seen most; others become the nearest of them."""
    counted = Counter(colour for row in rows for colour in row)
    palette = [colour for colour, _ in counted.most_common(COLOURS)]
    place = {colour: at for at, colour in enumerate(palette)}
    for colour in counted:
        if colour not in place:
            distance = [sum((a - b) ** 2 for a, b in zip(colour, known)) for known in palette]
            place[colour] = distance.index(min(distance))
    packed = zlib.compress(b"".join(b"\0" + bytes(place[colour] for colour in row) for row in rows), 9)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"PLTE", b"".join(palette)) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


for name, (journey, screen, height) in PICTURES.items():
    found = sorted((SCREENS / journey).glob(f"[0-9][0-9]-{screen}.png"))
    if len(found) != 1:
        sys.exit(f"no screen {journey}/{screen} in {SCREENS}: run the tests in a browser first")
    width, rows = pixels(found[0].read_bytes())
    written = png(width, rows[:height])
    (HERE / f"{name}.png").write_bytes(written)
    print(f"{name}.png  {width} x {len(rows[:height])}, {len(written) // 1024} KiB")
