"""
Likeness of prompts: the one that was sent and the one that a list shows.

Servers cut, escape, re-normalise, lower-case, mask and rewrite the prompts they show. So a video is explained
away by its prompt only if that is plainly another: neither contains the other, and of the words that carry
meaning, taken by their first four letters, less than a quarter of the shorter prompt's are in the longer one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from enum import Enum
from urllib.parse import unquote

_SHARED_BY_FORMS = 0.25
_STEM = 4
_LAYERS = 3
_WORD = re.compile(r"[^\W_]+")
_MASK = re.compile(r"(.)\1\1+")
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtbf\"'\\/]))")
_STOP_WORDS = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on")
)
_MASKING_WORDS = frozenset(
    (
        "content",
        "filtered",
        "hidden",
        "masked",
        "moderated",
        "none",
        "omitted",
        "private",
        "prompt",
        "redacted",
    )
)


class Likeness(Enum):
    """Relation of a shown prompt to the one that was sent."""

    SAME = "the same"
    ALIKE = "a form of it, perhaps"
    OTHER = "plainly another"
    HIDDEN = "not shown"


def compare(sent: str, shown: str | None) -> Likeness:
    """
    Say how alike two prompts are.

    :param sent: the prompt of the request.
    :param shown: the prompt that a list shows, if it does.
    """
    if (shown or "").split() == sent.split():
        return Likeness.SAME
    ours, theirs = _plain(sent), _plain(shown or "")
    words = _meaningful(theirs)
    if not words or words <= set(map(_stem, _MASKING_WORDS)):
        return Likeness.HIDDEN
    return Likeness.ALIKE if _is_a_form(ours, theirs) else Likeness.OTHER


def _is_a_form(ours: list[str], theirs: list[str]) -> bool:
    # Without spaces, since what cuts and escapes may also split words.
    one, other = "".join(ours), "".join(theirs)
    if not one or one in other or other in one:
        return True
    mine, yours = _meaningful(ours), _meaningful(theirs)
    return len(mine & yours) >= _SHARED_BY_FORMS * min(len(mine), len(yours))


def _plain(text: str) -> list[str]:
    """Return a prompt's words as they are below escapes, Unicode forms, case and accents."""
    for _ in range(_LAYERS):
        text = _ESCAPED.sub(_unescaped, unquote(html.unescape(_mended(text))))
    letters = unicodedata.normalize("NFKD", text).casefold()
    return _WORD.findall("".join(letter for letter in letters if not unicodedata.combining(letter)))


def _mended(text: str) -> str:
    """Return UTF-8 that was read as Latin-1 as what it was."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else {"n": "\n", "r": "\r", "t": "\t"}.get(match[3], match[3])


def _meaningful(words: list[str]) -> set[str]:
    """Return how the words that carry meaning begin; pairs of letters where a script has no spaces."""
    found: set[str] = set()
    for word in words:
        if _NO_SPACES.search(word):
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
        elif word not in _STOP_WORDS and not _MASK.fullmatch(word):
            found.add(_stem(word))
    return found or set(words) - {word for word in words if _MASK.fullmatch(word)}


def _stem(word: str) -> str:
    return word.rstrip("s")[:_STEM] or word
