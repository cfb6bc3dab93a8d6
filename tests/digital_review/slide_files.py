"""Files of slides for tests, made on the spot."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

TILE = 256


def picture(width: int = 1300, height: int = 900, kind: str = "PNG") -> bytes:
    """A picture in which every place looks different from the next."""
    image = Image.linear_gradient("L").resize((width, height))
    buffer = BytesIO()
    Image.merge("RGB", (image, image.rotate(180), image)).save(buffer, kind)
    return buffer.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that says it is 3,600 megapixels large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pyramid(width: int = 1024, height: int = 768, *, levels: int = 2, step: int = 4) -> bytes:
    """A tiled TIFF with smaller levels, as scanners write them: openslide takes it for a slide."""
    data = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    sizes = [(width // step**level, height // step**level) for level in range(levels)]
    places = [_level(data, *size, smaller=size != sizes[0]) for size in sizes]
    struct.pack_into("<I", data, 4, places[0])
    for at, following in zip(places, [*places[1:], 0], strict=True):
        (count,) = struct.unpack_from("<H", data, at)
        struct.pack_into("<I", data, at + 2 + 12 * count, following)
    return bytes(data)


def _level(data: bytearray, width: int, height: int, *, smaller: bool) -> int:
    """Write one directory with its uncompressed tiles; where the directory begins."""
    columns, rows = -(-width // TILE), -(-height // TILE)
    offsets = []
    for row in range(rows):
        for column in range(columns):
            offsets.append(len(data))
            colour = bytes((column * 40 % 256, row * 40 % 256, 128))
            data += colour * (TILE * TILE)
    many = len(offsets)
    sizes_at = len(data)
    data += struct.pack(f"<{many}I", *[TILE * TILE * 3] * many)
    offsets_at = len(data)
    data += struct.pack(f"<{many}I", *offsets)
    bits_at = len(data)
    data += struct.pack("<3H", 8, 8, 8)
    data += b"\0" * (len(data) % 2)
    long, short = 4, 3
    entries = [
        (254, long, 1, int(smaller)),
        (256, long, 1, width), (257, long, 1, height), (258, short, 3, bits_at),
        (259, short, 1, 1), (262, short, 1, 2), (277, short, 1, 3), (284, short, 1, 1),
        (322, long, 1, TILE), (323, long, 1, TILE),
        (324, long, many, offsets_at if many > 1 else offsets[0]),
        (325, long, many, sizes_at if many > 1 else TILE * TILE * 3),
    ]  # fmt: skip
    at = len(data)
    data += struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        data += struct.pack("<HHI", tag, kind, count)
        plain = kind == long or count > 2  # two short ones would stand side by side
        data += struct.pack("<I", value) if plain else struct.pack("<HH", value, 0)
    data += struct.pack("<I", 0)
    return at


def upload(content: bytes, name: str = "slide.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)
