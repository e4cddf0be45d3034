"""Headers of an answer: each is read here, once, and only as far as it can be true."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_videos.api.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

LONGEST_TYPE = 200
"""How many characters of a content type are repeated."""

_MAX_CONTENT_TYPE = 255
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_DIGESTS = (
    ("repr-digest", r"\bsha-256=:([^:]*):", "sha256", 32),
    ("digest", r"\bsha-256=([^,\s]*)", "sha256", 32),
    ("content-md5", r"(\S+)", "md5", 16),
    ("x-goog-hash", r"\bmd5=([^,\s]*)", "md5", 16),
)


def encoding_of(headers: Mapping[str, str]) -> str | None:
    """Return how a body is encoded, although none was asked to be; None where it is as it should be."""
    given = headers.get("content-encoding", "")
    plain = all(coding.strip().lower() in {"", "identity"} for coding in given.split(","))
    return None if plain else redact(given, longest=LONGEST_TYPE)


def read_content_type(headers: Mapping[str, str]) -> str | None:
    """Return what a server calls a file, where that can be handed on as a header."""
    given = headers.get("content-type", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= _MAX_CONTENT_TYPE else None


def read_location(headers: httpx.Headers) -> str:
    """Return where a redirect leads; bytes that no URL can hold are escaped as what they are."""
    return quote(headers.get("location", "").encode(headers.encoding), safe=_PRINTABLE)


def read_length(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes an answer promises, where it does."""
    length = headers.get("content-length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def read_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return which byte of a file is the first of a part, and how long the file is, where a part says so."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not match:
        return None, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def read_etag(headers: Mapping[str, str]) -> str | None:
    """Return the tag of the file, if it stands for the very bytes: a weak one does not."""
    etag = headers.get("etag", "").strip()
    return etag if _STRONG_ETAG.fullmatch(etag) else None


def read_digest(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the algorithm and the hexadecimal digest of a whole file, where the server sends one."""
    for header, pattern, algorithm, size in _DIGESTS:
        match = re.search(pattern, headers.get(header, ""), re.IGNORECASE)
        try:
            digest = base64.b64decode(match[1], validate=True) if match else b""
        except ValueError:
            continue
        if len(digest) == size:
            return algorithm, digest.hex()
    return None
