"""
Removal of secrets from what comes from outside, applied where words enter.

A server may repeat what it was sent, whole or in part and in whichever encoding its error passed through: a
key, the value of a header or a query parameter, a prompt, a signed address. So words are read in every
decoding they allow, each compared with the secrets and with their encodings, case and accents aside. What
matches is replaced in the words as they came. Time is linear in the words and in the secrets.
"""

from __future__ import annotations

import base64
import functools
import html
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Redactor", "redact"]

LONGEST = 500
"""How many characters of words are repeated."""
LONGEST_ID = 1024
"""How many characters of an id are repeated; those of gateways have up to hundreds."""
SHORTEST_SECRET = 6
"""Anything shorter is a part of too many words to be hidden."""
PIECE = 12
"""So many characters of a secret in a row are hidden; a shorter secret only as a whole."""
HIDDEN = "***"

_LOOKED_AT = 4096  # how far beyond the cut words are read: what is hidden there may begin before it
_DEEPEST = 4  # how often decoded words are decoded again
_ENCODED = 4096  # so much of a secret is looked for encoded
_NESTED = 128  # a longer secret is not looked for encoded twice
_REMEMBERED = 1024

_BREAK = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]+"
)
_ESCAPE = re.compile(
    r"%[0-7][0-9a-f]"
    r"|%[c-f][0-9a-f](?:%[89ab][0-9a-f]){0,3}|%[0-9a-f]{2}"
    r"|\\+x[0-7][0-9a-f]"
    r"|\\+x[c-f][0-9a-f](?:\\+x[89ab][0-9a-f]){0,3}|\\+x[0-9a-f]{2}"
    r"|\\+ud[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2}|\\+u[0-9a-f]{4}"
    r"|\\+u\{[0-9a-f]{1,6}\}"
    r"|\\+[\"'/bfnrt\\]"
    r"|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});",
    re.IGNORECASE,
)
_SHORT_WORD = 64
_MAYBE_ENCODED = re.compile(r"[a-z0-9+/_]{15}")  # as twelve characters in base64
_MAYBE_ESCAPED = re.compile(r"[%\\&]")
_SPACES = dict.fromkeys((*range(33), 43, 127), " ")
_LETTERS = {"b": " ", "f": " ", "n": "\n", "r": "\r", "t": "\t"}

_TOKEN = re.compile(r"[^\s\"'`]+")
_USERINFO = re.compile(r"[^/?#@]*@")
_NAMES = (
    "signature|token|secret|password|passwd|api[-_ ]?key|access[-_ ]?key(?:[-_ ]?id)?|accessid|key-pair-id"
    "|credential|authorization"
)
_SIGNED = re.compile(
    rf"(?<![a-z])(?:sig|sign|se|key|pass|pwd|jwt|hmac|hdnts|expires|policy|auth|session)=|(?:{_NAMES})="
    r"|x-(?:amz|goog|oss|cos|bce|tos)-",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?:{_NAMES}|cookie)[\"']{{0,2}}\s{{0,4}}[:=>]\s{{0,4}}[\"']?(?:(?:bearer|basic|token)\s{{1,4}})?"
    r"([^\s\"'<>&,]+)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?:bearer|basic)\s{1,4}([a-z0-9+/=_.~-]{16,})", re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w.-]+")
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}:)?\\?/\\?/[^\s\"'<>`]+", re.IGNORECASE)
_LIKE_A_SECRET = re.compile(r".{16}|(?=.{6})(?=.*\d)")

Span = tuple[int, int]
Secrets: TypeAlias = "Redactor | Iterable[str | None]"
"""Texts, or what was made of them."""


def redact(words: str, secrets: Secrets = (), *, longest: int = LONGEST) -> str:
    """
    Make words from outside fit to be repeated: on one line, short, without secrets and signed addresses.

    :param words: what was said.
    :param secrets: what must not be repeated, whole or in pieces, plain or encoded.
    :param longest: how many characters are returned at most.
    """
    return redactor_of(secrets).redact(words, longest=longest)


def redactor_of(secrets: Secrets) -> Redactor:
    """
    Return what hides some secrets.

    :param secrets: the secrets, or what hides them already.
    """
    return secrets if isinstance(secrets, Redactor) else Redactor(secrets)


def without_addresses(words: str) -> str:
    """
    Hide whole addresses, where none is to be stored.

    :param words: words that were redacted.
    """
    return _ADDRESS.sub(HIDDEN, words) if "//" in words or "\\/" in words else words


class Redactor:
    """
    :func:`redact` for one set of secrets, quick for words that were seen before.

    :param secrets: what must not be repeated.
    :param keys: those of them that must not be repeated in an id, either.
    """

    def __init__(self, secrets: Iterable[str | None] = (), *, keys: Iterable[str] = ()) -> None:
        self._secrets = _hideable(secrets)
        self._keys = _hideable(keys)
        self._prompts: tuple[str, ...] = ()
        self._seen: dict[tuple[str, int], str] = {}

    def also(self, *prompts: str | None) -> Redactor:
        """
        Return one that hides prompts, too.

        :param prompts: what else must not be repeated.
        """
        if not any(prompts):
            return self
        redactor = Redactor((*self._secrets, *prompts), keys=self._keys)
        redactor._prompts = _hideable(prompts)
        return redactor

    def redact(self, words: str, *, longest: int = LONGEST) -> str:
        """
        Make words from outside fit to be repeated.

        :param words: what was said.
        :param longest: how many characters are returned at most.
        """
        if len(words) > LONGEST:
            return self._redacted(words[: longest + _LOOKED_AT])[:longest]
        seen = self._seen.get((words, longest))
        if seen is None:
            seen = self._redacted(words)[:longest]
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[words, longest] = seen
        return seen

    def redact_text(self, text: str) -> str:
        """
        Redact a text of any length, such as a prompt, and leave its lines as they are.

        :param text: the text.
        """
        return self._redacted(text, line_break=None)

    def hide_secrets(self, text: str) -> str:
        """
        Take the secrets out of a text that is our own, and leave the rest as it is.

        :param text: the text.
        """
        return _hide(text, self._secret_spans(tuple(_views(text))))

    def redact_id(self, text: str) -> str:
        """
        Return an id as it is, unless it is too long or holds what no id does: a key, a signature, a prompt.

        A header's value may stand in an id rightly, and so may a piece of a prompt that names another id.

        :param text: the id.
        """
        clean = _printable(text)[:LONGEST_ID]
        views = tuple(_views(clean))
        folded = tuple(map(_fold, views))
        signed = _signed_spans(views) if "//" in clean else ()
        return _hide(
            clean, (*_spans(folded, self._keys), *_spans(folded, self._prompts, whole=True), *signed)
        )

    def _redacted(self, words: str, *, line_break: str | None = " ") -> str:
        clean = _printable(words, line_break)
        views = tuple(_views(clean))
        return _hide(clean, (*self._secret_spans(views), *_signed_spans(views)))

    def _secret_spans(self, views: Sequence[_View]) -> Iterator[Span]:
        if self._secrets and len(views[0].text) >= SHORTEST_SECRET:
            yield from _spans(tuple(map(_fold, views)), self._secrets)


def may_repeat(prompt: str, word: str) -> bool:
    """
    Say quickly whether a word has to be searched for a prompt: nearly never, and a thorough look is slow.

    :param prompt: the prompt.
    :param word: such as a model's name.
    """
    if len(word) < SHORTEST_SECRET or len(prompt) < SHORTEST_SECRET:
        return False
    if len(word) > _SHORT_WORD or not word.isascii() or _MAYBE_ESCAPED.search(word):
        return True
    word = word.lower()
    if len(prompt) < PIECE:
        return any(form in word for form in _remembered_forms(prompt))
    prompt = prompt.lower()
    return bool(_MAYBE_ENCODED.search(word)) or any(piece in prompt for piece in _pieces(word))


def _hideable(secrets: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({secret for secret in secrets if secret and len(secret) >= SHORTEST_SECRET}))


def _spans(views: Sequence[_View], secrets: Iterable[str], *, whole: bool = False) -> Iterator[Span]:
    for secret in secrets:
        forms = _remembered_forms(secret) if len(secret) <= _REMEMBERED else _forms(secret)
        in_pieces = {form for form in forms if len(secret) >= PIECE <= len(form) and not whole}
        yield from _piece_spans(views, in_pieces)
        yield from _whole_spans(views, forms - in_pieces)


def _printable(words: str, line_break: str | None = " ") -> str:
    if words.isprintable() and words.isascii():
        return words
    words = words.encode("utf-8", "replace").decode()
    words = words if line_break is None else _BREAK.sub(line_break, words)
    return _INVISIBLE.sub("", words)


def _hide(words: str, spans: Iterable[Span]) -> str:
    pieces, at = list[str](), 0
    for start, end in sorted(spans):
        if start > at or not pieces:
            pieces += words[at:start], HIDDEN
        at = max(at, end)
    return "".join((*pieces, words[at:]))


class _View(NamedTuple):
    """Words in one decoding, and where each character of it comes from."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> Span:
        return self.starts[start], self.ends[end - 1]


def _views(words: str) -> Iterator[_View]:
    """Decode percent, JSON, HTML and such escapes, also nested ones."""
    view: _View | None = _View(words, range(len(words)), range(1, len(words) + 1))
    for _ in range(_DEEPEST):
        if view is None:
            return
        yield view
        view = _unescaped(view) if _MAYBE_ESCAPED.search(view.text) else None


def _unescaped(view: _View) -> _View | None:
    text, starts, ends, at = list[str](), list[int](), list[int](), 0
    for match in _ESCAPE.finditer(view.text):
        first, last = match.span()
        decoded = _decode(match[0])
        text += view.text[at:first], decoded
        starts += (*view.starts[at:first], *[view.starts[first]] * len(decoded))
        ends += (*view.ends[at:first], *[view.ends[last - 1]] * len(decoded))
        at = last
    if not at:
        return None
    return _View("".join((*text, view.text[at:])), (*starts, *view.starts[at:]), (*ends, *view.ends[at:]))


def _decode(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    kind = escape.lstrip("\\")
    if escape[0] == "%" or kind[:1] in {"x", "X"}:
        raw = bytes.fromhex(re.sub(r"[%\\xX]", "", escape))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    if kind[:1] in {"u", "U"}:
        return _decode_unicode(kind)
    return _LETTERS.get(kind, kind or "\\")


def _decode_unicode(escape: str) -> str:
    units = re.findall(r"[0-9a-fA-F]{4,6}|(?<=\{)[0-9a-fA-F]+", escape)
    try:
        text = "".join(chr(int(unit, 16)) for unit in units)
    except ValueError:
        return "?"
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _fold(view: _View) -> _View:
    """Leave aside case, accents and what kind of space and how much; a plus stands for a space in a query."""
    if view.text.isascii() and "  " not in (quick := view.text.lower().translate(_SPACES)):
        return view._replace(text=quick)
    text, origins = list[str](), list[int]()
    for index, character in enumerate(view.text):
        for plain in _plain(character):
            if plain != " " or text[-1:] != [" "]:
                text.append(plain)
                origins.append(index)
    return _View("".join(text), [view.starts[at] for at in origins], [view.ends[at] for at in origins])


@functools.lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    if character == "+" or unicodedata.category(character) in {"Zs", "Zl", "Zp", "Cc"}:
        return " "
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(one for one in folded if unicodedata.category(one) not in {"Mn", "Me", "Cf"})


def _folded(text: str) -> str:
    return re.sub(" +", " ", "".join(map(_plain, text))).strip()


def _forms(secret: str) -> frozenset[str]:
    """Return a secret in all encodings that are not undone by reading words in every decoding."""
    plain = {view.text for view in _views(secret[:_ENCODED])}
    encoded = {form for text in plain for form in _encodings(text)}
    nested = {form for text in encoded if len(secret) <= _NESTED for form in _encodings(text)}
    folded = map(_folded, {secret, *plain, *encoded, *nested})
    return frozenset(form for form in folded if len(form) >= SHORTEST_SECRET)


_remembered_forms = functools.lru_cache(maxsize=64)(_forms)


def _encodings(text: str) -> Iterator[str]:
    """Write a text in hexadecimal, and in base64 as it looks at any place of a longer text."""
    raw = text.encode("utf-8", "replace")
    yield raw.hex()
    for shift in range(3):
        # Characters at the edges hold bits of what stands before and behind it.
        first, last = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
        yield base64.b64encode(bytes(shift) + raw).decode()[first:last]
        yield base64.urlsafe_b64encode(bytes(shift) + raw).decode()[first:last]


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


def _whole_spans(views: Iterable[_View], forms: Iterable[str]) -> Iterator[Span]:
    for view in views:
        for form in forms:
            at = view.text.find(form)
            while at >= 0:
                yield view.span(at, at + len(form))
                at = view.text.find(form, at + len(form))


def _piece_spans(views: Iterable[_View], forms: Iterable[str]) -> Iterator[Span]:
    there = {piece for view in views for piece in _pieces(view.text)}
    shared = {piece for form in forms for piece in _pieces(form) if piece in there} if there else ()
    for view in views if shared else ():
        for at, piece in enumerate(_pieces(view.text)):
            if piece in shared:
                yield view.span(at, at + PIECE)


def _signed_spans(views: Iterable[_View]) -> Iterator[Span]:
    """Find signatures, tokens and passwords by how they are written: in addresses, queries and headers."""
    for view in views:
        for token in _TOKEN.finditer(view.text):
            for start, end in _spans_of_token(token[0]):
                yield view.span(token.start() + start, token.start() + end)
        for match in (*_NAMED.finditer(view.text), *_SCHEME.finditer(view.text)):
            if _LIKE_A_SECRET.match(match[1]):
                yield view.span(*match.span(1))
        for match in _JWT.finditer(view.text):
            yield view.span(*match.span())


def _spans_of_token(token: str) -> Iterator[Span]:
    """Find the parts of a word without spaces that may give access: user and password, and a query."""
    host = token.find("//") + 2
    if host > 1 and (userinfo := _USERINFO.match(token, host)):
        yield host, userinfo.end() - 1
    elif "@" in token and ":" in token[: token.find("@")] and "/" not in token[: token.find("@")]:
        yield 0, token.find("@")
    query = min((at for at in map(token.find, "?#") if at >= 0), default=-1)
    if query >= 0 and (host > 1 or "=" in token[query:]):
        if query + 1 < len(token):
            yield query + 1, len(token)
    elif (signed := _SIGNED.search(token)) and (sign := token.find("=", signed.start())) >= 0:
        yield sign + 1, len(token)
