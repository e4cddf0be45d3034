"""Forms in which a server may repeat what it was sent."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-leak-Zq9xT4/wLm8Rk2+Vb7NcQ5"
HEADER = "hd-leak-Yp3Kd8sWn6Ft1Gh0Jm"
QUERY = "qr-leak-Ux7Ce2Bv9Ra4Lt5Ho"
SIGNATURE = "X-Amz-Signature=sg1leak9a8b7c6d5e4f3a2b1c0d&X-Amz-Credential=AKIALEAKLEAKLEAK"
PROMPT = 'An otter in a red scarf sails "home" past the lighthouse'
NEEDLES = {"key": KEY, "header": HEADER, "query": QUERY, "signature": SIGNATURE[16:43], "prompt": PROMPT}
PIECE = 12


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _units(text: str, prefix: str = "\\u") -> str:
    return "".join(f"{prefix}{ord(one):04x}" for one in text)


FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "upper": str.upper,
    "lower": str.lower,
    "swapped": str.swapcase,
    "quoted": lambda text: f'"{text}"',
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent path": quote,
    "percent bytes": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "plus": quote_plus,
    "json": json.dumps,
    "json twice": lambda text: json.dumps(json.dumps(text)),
    "json in json": lambda text: json.dumps({"body": json.dumps({"prompt": text})}),
    "unicode": _units,
    "unicode twice": lambda text: _units(text, "\\\\u"),
    "bytes": lambda text: repr(text.encode()),
    "hex escapes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "html": html.escape,
    "html decimal": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "html hexadecimal": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "base64": _base64,
    "base64 shifted": lambda text: _base64("x" + text),
    "base64 shifted twice": lambda text: _base64("xy" + text),
    "base64 url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 bare": lambda text: _base64(text).rstrip("="),
    "base64 percent": lambda text: quote(_base64(text), safe=""),
    "basic": lambda text: f"Basic {_base64(f'user:{text}')}",
    "bearer": lambda text: f"Authorization: Bearer {text}",
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal upper": lambda text: text.encode().hex().upper(),
    "invisible": "\u200b".join,
    "control": lambda text: f"{text[:7]}\x00{text[7:]}",
    "newline": lambda text: f"line\n{text}\nline",
    "piece": lambda text: text[4:18],
    "beginning": lambda text: f"{text[:14]}...",
    "end": lambda text: f"...{text[-14:]}",
    "address": lambda text: f"https://cdn.example/v.mp4?token={quote(text)}",
    "address escaped": lambda text: json.dumps(f"https://cdn.example/v?k={quote(text)}").replace("/", "\\/"),
    "user": lambda text: f"https://user:{quote(text, safe='')}@cdn.example/v.mp4",
    "header": lambda text: f"{{'x-api-key': '{text}', 'host': 'x'}}",
}


def pieces(needle: str) -> set[str]:
    """Return what must not be found of a needle, in lower case: twelve characters of it, plain or encoded."""
    plain = {
        needle,
        quote(needle, safe=""),
        quote_plus(needle),
        json.dumps(needle)[1:-1],
        html.escape(needle),
    }
    encoded = {needle.encode().hex()}
    for shift in range(3):
        first, last = -(-8 * shift // 6), 8 * (shift + len(needle)) // 6
        encoded.add(_base64("x" * shift + needle)[first:last])
    found = {form.lower()[at : at + PIECE] for form in plain for at in range(len(form) - PIECE + 1)}
    return found | {form.lower()[at : at + 16] for form in encoded for at in range(len(form) - 15)}
