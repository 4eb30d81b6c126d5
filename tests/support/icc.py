"""Small colour profiles, written by hand (ICC.1:2004), whose effect is known without a CMS."""

import struct

# the lamps of sRGB as seen under D50: X, Y, Z
_RED, _GREEN, _BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
_WHITE = (0.9642, 1.0, 0.8249)


def screen_profile(gamma: float = 2.2, swap_red_and_green: bool = False) -> bytes:
    """A screen with the lamps of sRGB, the first two in the other order if asked."""
    red, green = (_GREEN, _RED) if swap_red_and_green else (_RED, _GREEN)
    lamps = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(_BLUE)}
    curves = {name: _curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", lamps | curves)


def grey_profile(gamma: float) -> bytes:
    """Grey whose light is the value to the power of `gamma`."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def ink_profile() -> bytes:
    """A press on which only the black ink shows."""
    straight = bytes(range(256))
    # one node for each of the 16 combinations of no ink and full ink; black varies fastest
    nodes = b"".join(bytes((0 if node % 2 else 255, 128, 128)) for node in range(16))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + straight * 4 + nodes + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma)) + bytes(2)


def _text(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 68)


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _text(b"made by a test"), b"wtpt": _xyz(_WHITE), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    head = struct.pack(">I", offset + len(content)) + bytes(4) + b"\x02\x40\0\0"
    head += device + space + connection + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(65536 * value) for value in _WHITE))
    return head.ljust(128, b"\0") + table + content
