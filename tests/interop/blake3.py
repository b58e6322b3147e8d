"""BLAKE3 in its derive_key mode, written from the BLAKE3 paper (section 2) alone; slow and plain on purpose."""

import struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 32, 64
COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)
MASK = 0xFFFFFFFF


def compress(chaining, words, counter, length, flags):
    """The compression function, truncated to its first eight words."""
    v = list(chaining) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]
    m = list(words)
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(COLUMNS_AND_DIAGONALS):
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + m[2 * i]) & MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & MASK
            va = (va + vb + m[2 * i + 1]) & MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 7 | vb << 25) & MASK
            v[a], v[b], v[c], v[d] = va, vb, vc, vd
        m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def chunk(key, data, number, flags, root):
    """One chunk of at most 1024 bytes."""
    chaining = key
    blocks = [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
    for at, block in enumerate(blocks):
        last = at == len(blocks) - 1
        bits = flags | (CHUNK_START if at == 0 else 0) | (CHUNK_END | root if last else 0)
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        chaining = compress(chaining, words, number, len(block), bits)
    return chaining


def subtree(key, data, first, flags, root):
    """The left child is the largest complete tree that leaves something for the right one."""
    if len(data) <= 1024:
        return chunk(key, data, first, flags, root)
    left = 1024
    while left * 2 < len(data):
        left *= 2
    children = subtree(key, data[:left], first, flags, 0) + subtree(key, data[left:], first + left // 1024, flags, 0)
    return compress(key, children, 0, 64, flags | PARENT | root)


def derive_key(context):
    """A function from bytes to their 32-byte hash under this context."""
    key = subtree(IV, context.encode(), 0, DERIVE_KEY_CONTEXT, ROOT)
    return lambda data: struct.pack("<8I", *subtree(key, data, 0, DERIVE_KEY_MATERIAL, ROOT))
