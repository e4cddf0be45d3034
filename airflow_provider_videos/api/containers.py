"""File formats, told by their first bytes: servers name the wrong content type too often to be believed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from mimetypes import MimeTypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AVI",
    "AVIF",
    "BMP",
    "BY_CONTENT_TYPE",
    "ENOUGH_TO_TELL",
    "FLV",
    "GIF",
    "HEIC",
    "HEIF",
    "IMAGES",
    "JP2",
    "JPEG",
    "JXL",
    "MKV",
    "MOV",
    "MP4",
    "MPEG_PS",
    "MPEG_TS",
    "OGG",
    "PNG",
    "TIFF",
    "VIDEOS",
    "WEBM",
    "WEBP",
    "Container",
    "bytes_to_tell",
    "is_text",
    "sniff",
    "unnamed_image",
]


@dataclass(frozen=True, slots=True)
class Container:
    """
    A file format.

    :param name: what people call it.
    :param content_type: its media type.
    :param extension: its usual file name extension.
    """

    name: str
    content_type: str
    extension: str

    @classmethod
    def of(cls, content_type: str) -> Container:
        """
        Return the format of a media type, also of one that has no name here.

        :param content_type: the media type, such as ``image/jxl``.
        """
        subtype = content_type.partition("/")[2].removeprefix("x-")
        guessed = _MIME_TYPES.guess_extension(content_type, strict=False)
        extension = guessed or f".{re.split('[.+-]', subtype)[-1]}"
        return BY_CONTENT_TYPE.get(content_type) or cls(content_type, content_type, extension[1:])


# Only what is built into Python: what else a machine knows would make names depend on it.
_MIME_TYPES = MimeTypes()

MP4 = Container("MP4", "video/mp4", "mp4")
MOV = Container("QuickTime", "video/quicktime", "mov")
AVI = Container("AVI", "video/x-msvideo", "avi")
WEBM = Container("WebM", "video/webm", "webm")
MKV = Container("Matroska", "video/x-matroska", "mkv")
OGG = Container("Ogg", "video/ogg", "ogv")
FLV = Container("FLV", "video/x-flv", "flv")
MPEG_TS = Container("MPEG-TS", "video/mp2t", "ts")
MPEG_PS = Container("MPEG-PS", "video/mpeg", "mpg")
WEBP = Container("WebP", "image/webp", "webp")
JPEG = Container("JPEG", "image/jpeg", "jpg")
PNG = Container("PNG", "image/png", "png")
GIF = Container("GIF", "image/gif", "gif")
AVIF = Container("AVIF", "image/avif", "avif")
HEIC = Container("HEIC", "image/heic", "heic")
HEIF = Container("HEIF", "image/heif", "heif")
BMP = Container("BMP", "image/bmp", "bmp")
TIFF = Container("TIFF", "image/tiff", "tiff")
JXL = Container("JPEG XL", "image/jxl", "jxl")
JP2 = Container("JPEG 2000", "image/jp2", "jp2")

IMAGES = frozenset({WEBP, JPEG, PNG, GIF, AVIF, HEIC, HEIF, BMP, TIFF, JXL, JP2})
VIDEOS = frozenset({MP4, MOV, AVI, WEBM, MKV, OGG, FLV, MPEG_TS, MPEG_PS})

BY_CONTENT_TYPE = {container.content_type: container for container in (*VIDEOS, *IMAGES)}

ENOUGH_TO_TELL = 4096
"""How many bytes :func:`sniff` needs, unless :func:`bytes_to_tell` asks for more."""

_MARKS = tuple(
    (re.compile(mark, re.DOTALL), container)
    for mark, container in (
        (rb"(RIFF|RF64)....AVI ", AVI),
        (rb"RIFF....WEBP", WEBP),
        (rb"\xff\xd8\xff", JPEG),
        (rb"\x89PNG", PNG),
        (rb"GIF8[79]a", GIF),
        # The document type, in the first of the elements.
        (rb"\x1a\x45\xdf\xa3.{0,99}\x42\x82.matroska", MKV),
        (rb"\x1a\x45\xdf\xa3", WEBM),
        (rb"OggS\0", OGG),
        (rb"FLV\x01", FLV),
        (rb"\0\0\x01\xba", MPEG_PS),
        # Packets begin with the same byte, in a recording of a disc behind a time of four.
        (rb"\x47(.{187}\x47){2}|....\x47(.{191}\x47){2}", MPEG_TS),
        (rb"BM....\0\0\0\0", BMP),
        (rb"II\x2a\0|MM\0\x2a", TIFF),
        (rb"\xff\x0a|\0\0\0\x0cJXL \r\n", JXL),
    )
)

_BRANDED = {b"ftyp", b"styp"}
# Boxes that say nothing of the format, and may come before the one that does.
_BEFORE = {b"free", b"skip", b"wide", b"uuid", b"pnot", b"PICT", b"jP  ", b"prft", b"emsg", b"sidx"}
_WITHOUT_BRAND = {b"moov": MOV, b"mdat": MOV, b"moof": MP4}
_BRANDS = {
    b"qt  ": MOV,
    b"avif": AVIF,
    b"avis": AVIF,
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), HEIC),
    **dict.fromkeys((b"jp2 ", b"jpx "), JP2),
}
_ANY_IMAGE = {b"mif1", b"msf1"}

# Bytes that no text has.
_CONTROLS = bytes({*range(32)} - {*b"\t\n\f\r\x1b"})
_IMAGE_TYPE = re.compile(
    r"\s*(image/[a-z0-9]{1,40}([.+-][a-z0-9]{1,40}){0,3})\s*(;.*)?", re.IGNORECASE | re.ASCII
)


def sniff(head: bytes) -> Container | None:
    """
    Tell a file's format.

    :param head: its first bytes, at least :data:`ENOUGH_TO_TELL` unless it has fewer.
    """
    marked = next((container for mark, container in _MARKS if mark.match(head)), None)
    return marked or _family(head)


def bytes_to_tell(head: bytes) -> int:
    """
    Return how many first bytes :func:`sniff` needs of this file: more where padding comes before its brand.

    :param head: the first bytes of it, as far as they have come.
    """
    begin = 0
    for kind, _, end in _boxes(head):
        if kind not in _BEFORE:
            break
        begin = end
    return begin + ENOUGH_TO_TELL


def unnamed_image(content_type: str | None, head: bytes) -> Container | None:
    """
    Return the format of an image that :func:`sniff` does not know, as its server calls it.

    :param content_type: what the server calls it; None is returned unless that is some other kind of image.
    :param head: its first bytes; None is returned if they are text, such as an SVG or an error.
    """
    match = _IMAGE_TYPE.fullmatch(content_type or "")
    container = Container.of(match[1].lower()) if match else None
    return None if container in IMAGES or is_text(head) else container


def is_text(head: bytes) -> bool:
    """
    Say whether a file is text, or empty.

    :param head: its first bytes.
    """
    return len(head) == len(head.translate(None, _CONTROLS))


def _family(head: bytes) -> Container | None:
    """Tell the formats that are made of boxes: MP4, QuickTime, and the images built like them."""
    if not _has_boxes(head):
        return None
    for kind, body, end in _boxes(head):
        if kind in _BRANDED:
            return _of_brands(head[body:end])
        if kind not in _BEFORE:
            return _WITHOUT_BRAND.get(kind, MP4)
    return MP4


def _has_boxes(head: bytes) -> bool:
    known = head[4:8] in _BRANDED | _BEFORE or head[4:8] in _WITHOUT_BRAND
    return known and not is_text(head)  # a text may well have the word "free" at its fifth letter


def _of_brands(brands: bytes) -> Container:
    major = brands[:4]
    # An image's own brand may stand among those that it is compatible with.
    named = [brands[at : at + 4] for at in range(8, len(brands), 4)] if major in _ANY_IMAGE else [major]
    found = next((_BRANDS[brand] for brand in named if brand in _BRANDS), None)
    return found or (HEIF if major in _ANY_IMAGE else MP4)


def _boxes(head: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Walk through boxes: each one's type, and where its body begins and ends."""
    begin = 0
    while begin + 8 <= len(head):
        size, kind, header = int.from_bytes(head[begin : begin + 4], "big"), head[begin + 4 : begin + 8], 8
        if size == 1:
            size, header = int.from_bytes(head[begin + 8 : begin + 16], "big"), 16
        end = begin + max(size, header)
        yield kind, begin + header, end
        begin = end
