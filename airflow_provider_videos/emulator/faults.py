"""Faults on demand: effects, the requests that they are for, and the one place where the two meet."""

from __future__ import annotations

import base64
import html
import secrets
import threading
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, get_args
from unicodedata import normalize

from airflow_provider_videos.emulator.contract import BUYING, OPERATIONS
from airflow_provider_videos.emulator.jobs import JobError, JobPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.emulator.wire_faults import Cache

Video = dict[str, Any]


def _texts(headers: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers.items()}


def _check_amount(name: str, amount: object) -> None:
    if not isinstance(amount, int | float) or not 0 <= amount < float("inf"):
        raise ValueError(f"{name} is a number from 0 on; got {amount!r}")


# --- On the wire ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Another answer than the right one."""

    status: int
    body: Any = None
    """Text, bytes, anything JSON; None is the contract's envelope for an error, and empty for the rest."""
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    """Whether the request is carried out all the same: the purchase happens, its answer is replaced."""

    def __post_init__(self) -> None:
        if not isinstance(self.status, int) or not 200 <= self.status <= 599:
            raise ValueError(f"status is a number from 200 to 599; got {self.status!r}")
        object.__setattr__(self, "headers", _texts(self.headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddHeaders:
    """The right answer with headers added."""

    headers: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", _texts(self.headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A wait, in real seconds, before the request is looked at."""

    seconds: float

    def __post_init__(self) -> None:
        _check_amount("seconds", self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The connection ends without an answer."""

    accepted: bool = False
    """Whether the request is carried out first: the purchase happened, the answer is lost."""
    reset: bool = False
    """Whether the client sees a reset instead of an orderly end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The connection ends in the middle of the answer's body; Content-Length then has lied."""

    after_bytes: int = 1

    def __post_init__(self) -> None:
        _check_amount("after_bytes", self.after_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """The answer hangs until the client gives up."""

    after_bytes: int | None = None
    """How much of the body goes out first; None hangs before the answer has begun."""
    accepted: bool = False
    """Whether the request is carried out, when nothing of the answer goes out."""

    def __post_init__(self) -> None:
        _check_amount("after_bytes", self.after_bytes or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """A byte of the answer's body is another; everything else is as it should be."""

    at_byte: int = 0

    def __post_init__(self) -> None:
        _check_amount("at_byte", self.at_byte)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """An answer to a GET that is kept and given again to whoever asks for the same address."""

    seconds: float
    """How long, by the emulator's clock; then it is made anew."""
    age: bool = True
    """Whether an answer that was kept says so with `Age`."""
    date: bool = True
    """Whether it keeps its `Date`, too; without, it looks as if it were made just now."""
    obeys: bool = False
    """Whether `Cache-Control: no-cache` in a request gets an answer made anew."""

    def __post_init__(self) -> None:
        _check_amount("seconds", self.seconds)


# --- In what an answer shows of a video, alone or in a list -----------------------------------------------

TIMES = ("created_at", "completed_at", "expires_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftTimes:
    """All times of a video are off; `Date` is not."""

    seconds: float
    """Added to each; negative puts them into the past."""

    def change(self, video: Video) -> Video:
        """Return what is shown in the video's place."""
        times = {name: video[name] for name in TIMES if isinstance(video.get(name), int | float)}
        return video | {name: int(time + self.seconds) for name, time in times.items()}


ALTERATIONS: Mapping[str, Callable[[str], str]] = {
    "cut": lambda prompt: prompt[: max(1, len(prompt) // 2)],
    "elided": lambda prompt: prompt[: max(1, len(prompt) // 2)] + "...",
    "escaped": html.escape,
    "lower": str.lower,
    "nfc": lambda prompt: normalize("NFC", prompt),
    "nfd": lambda prompt: normalize("NFD", prompt),
    "masked": lambda prompt: "*" * len(prompt),
    "rewritten": lambda prompt: f"Cinematic wide shot, golden hour. {prompt.capitalize()}, highly detailed",
    "other": lambda _: "Slow pan over a scene in soft light, 35 mm, shallow depth of field",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterPrompts:
    """The prompt of a video is another than the one that was sent."""

    how: str
    """
    `cut`, `elided` (cut, with three dots), `escaped` (as in HTML), `lower`, `nfc`, `nfd`, `masked`,
    `rewritten` (ours inside another), `other` (nothing of ours), or `absent`.
    """

    def __post_init__(self) -> None:
        if self.how not in {*ALTERATIONS, "absent"}:
            raise ValueError(f"how is one of {', '.join(ALTERATIONS)}, absent; got {self.how!r}")

    def change(self, video: Video) -> Video:
        """Return what is shown in the video's place."""
        if self.how == "absent":
            return {name: value for name, value in video.items() if name != "prompt"}
        if not isinstance(video.get("prompt"), str):
            return video
        return video | {"prompt": ALTERATIONS[self.how](video["prompt"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondsAs:
    """The length of a video is of another type."""

    type: str
    """`integer`, `float`, or `text` for a text like "8.0"."""

    def __post_init__(self) -> None:
        if self.type not in {"integer", "float", "text"}:
            raise ValueError(f"type is integer, float or text; got {self.type!r}")

    def change(self, video: Video) -> Video:
        """Return what is shown in the video's place."""
        if video.get("seconds") is None:
            return video
        length = float(video["seconds"])
        return video | {"seconds": {"integer": int(length), "float": length, "text": str(length)}[self.type]}


ShownEffect = ShiftTimes | AlterPrompts | SecondsAs
WireEffect = Answer | AddHeaders | Latency | Drop | Cut | Stall | Corrupt | Cached | ShownEffect

# --- In a job's life --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The job never progresses past a point."""

    progress: int = 0

    def apply_to(self, plan: JobPlan) -> JobPlan:
        """The plan with this in it."""
        return replace(plan, stuck_at=self.progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job fails halfway."""

    code: str = "server_error"
    message: str = "The video could not be generated."

    def apply_to(self, plan: JobPlan) -> JobPlan:
        """The plan with this in it."""
        return replace(plan, error=JobError(self.code, self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderated(Failed):
    """The job is stopped by moderation."""

    code: str = "moderation_blocked"
    message: str = "Your request was blocked by our moderation system."


@dataclass(frozen=True, slots=True, kw_only=True)
class Expires:
    """The job's files expire early."""

    after: float = 0.0
    """Seconds from completion."""

    def apply_to(self, plan: JobPlan) -> JobPlan:
        """The plan with this in it."""
        return replace(plan, lifetime=self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The server forgets the job."""

    after: float = 0.0
    """Seconds from creation."""

    def apply_to(self, plan: JobPlan) -> JobPlan:
        """The plan with this in it."""
        return replace(plan, lost_after=self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLate:
    """The list does not show the job at first."""

    after: float
    """Seconds from creation."""

    def apply_to(self, plan: JobPlan) -> JobPlan:
        """The plan with this in it."""
        return replace(plan, listed_after=self.after)


JobEffect = Stuck | Failed | Moderated | Expires | Lost | ListedLate

# --- Requests ---------------------------------------------------------------------------------------------

KINDS: dict[str, type[WireEffect | JobEffect]] = {
    "answer": Answer,
    "add_headers": AddHeaders,
    "latency": Latency,
    "drop": Drop,
    "cut": Cut,
    "stall": Stall,
    "corrupt": Corrupt,
    "cached": Cached,
    "shift_times": ShiftTimes,
    "alter_prompts": AlterPrompts,
    "seconds_as": SecondsAs,
    "stuck": Stuck,
    "failed": Failed,
    "moderated": Moderated,
    "expires": Expires,
    "lost": Lost,
    "listed_late": ListedLate,
}
WIRE_EFFECTS: tuple[type, ...] = get_args(WireEffect)
JOB_EFFECTS: tuple[type, ...] = get_args(JobEffect)
NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """Facts of a request by which faults are chosen."""

    operation: str | None
    method: str
    path: str
    prompt: str
    """Of the request, or of the job it names."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Effect and the requests it hits: every condition given must hold.

    :param effect: what goes wrong.
    :param operation: a name of the table in ``contract.py``; `file` is the signed address of some dialects.
    :param method: the HTTP method.
    :param path: a part of the path, such as a video's id.
    :param prompt: a part of the prompt, the request's or that of the job it names.
    :param nth: the first matching request that is struck, counted from 1.
    :param times: how many matching requests from there on are struck; None is all.
    :param chance: how likely each of them is struck; the seed decides which.
    """

    effect: WireEffect | JobEffect
    operation: str | None = field(default=None, kw_only=True)
    method: str | None = field(default=None, kw_only=True)
    path: str | None = field(default=None, kw_only=True)
    prompt: str | None = field(default=None, kw_only=True)
    nth: int = field(default=1, kw_only=True)
    times: int | None = field(default=1, kw_only=True)
    chance: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError("nth counts from 1")
        if self.times is not None and self.times < 1:
            raise ValueError("times is at least 1; leave it null to hit every request")
        if not 0.0 <= self.chance <= 1.0:
            raise ValueError("chance lies between 0 and 1")
        if self.operation not in {None, *OPERATIONS}:
            raise ValueError(f"operation is one of {', '.join(OPERATIONS)}; got {self.operation!r}")
        if self.method is not None and self.method != self.method.upper():
            raise ValueError(f"method is one such as GET; got {self.method!r}")
        if not isinstance(self.prompt or "", str) or not isinstance(self.path or "", str):
            raise ValueError("prompt and path are texts")  # noqa: TRY004 - like the others, for one except clause

    def matches(self, info: RequestInfo) -> bool:
        """Return whether every condition holds; effects in a job's life hit only what buys one."""
        return (
            (isinstance(self.effect, WireEffect) or info.operation in BUYING)
            and self.operation in {None, info.operation}
            and self.method in {None, info.method}
            and (self.path or "") in info.path
            and (self.prompt or "") in info.prompt
        )

    def to_json(self) -> dict[str, Any]:
        """A plain object; `from_json` reads it."""
        rest = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "effect"}
        effect = {"kind": NAMES[type(self.effect)], **asdict(self.effect)}
        if isinstance(effect.get("body"), bytes):
            effect["body"] = {"base64": base64.b64encode(effect["body"]).decode()}
        return {"effect": effect, **rest}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Fault:
        """
        Read what `to_json` wrote, or a person.

        :param raw: `{"effect": {"kind": "answer", "status": 429}, "operation": "create", "times": 2}`.
        :raises ValueError: when it makes no sense; the message says what is wrong.
        """
        try:
            effect = dict(raw["effect"])
            kind = KINDS[effect.pop("kind")]
            if isinstance(body := effect.get("body"), dict) and set(body) == {"base64"}:
                effect["body"] = base64.b64decode(body["base64"])
            return cls(kind(**effect), **{name: value for name, value in raw.items() if name != "effect"})
        except KeyError as missing:
            raise ValueError(
                f"no {missing}: a fault has an effect, its kind one of {', '.join(KINDS)}"
            ) from missing
        except TypeError as wrong:
            raise ValueError(str(wrong)) from wrong


MARKERS = (
    Fault(Failed(), prompt="[fail]", times=None),
    Fault(Moderated(), prompt="[moderate]", times=None),
    Fault(Stuck(), prompt="[stuck]", times=None),
    Fault(Expires(), prompt="[expire]", times=None),
)
"""Always active: a word in the prompt is the shortest way to a job that goes wrong."""


@dataclass(slots=True)
class ActiveFault:
    """Fault in force, with the requests that have met it."""

    fault: Fault
    number: int
    matched: int = 0
    struck: int = 0

    def count_match(self, info: RequestInfo, seed: int) -> bool:
        """Count a request that the fault is for, and return whether it is hit."""
        if not self.fault.matches(info):
            return False
        self.matched += 1
        last = None if self.fault.times is None else self.fault.nth + self.fault.times
        hit = self.fault.nth <= self.matched and (last is None or self.matched < last) and self._drawn(seed)
        self.struck += hit
        return hit

    def _drawn(self, seed: int) -> bool:
        lot = blake2b(f"{seed}/{self.number}/{self.matched}".encode(), digest_size=4).digest()
        return int.from_bytes(lot) < self.fault.chance * 2**32

    def to_json(self) -> dict[str, Any]:
        """The fault and its counts."""
        return {**self.fault.to_json(), "matched": self.matched, "struck": self.struck}


class Faults:
    """
    The faults in force, in the order they were injected.

    :param seed: decides the draws of faults that hit by chance.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = secrets.randbits(64) if seed is None else seed
        self._lock = threading.Lock()
        self._active: list[ActiveFault] = []
        self.cache: Cache = {}

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        with self._lock:
            self._active.append(ActiveFault(fault, number=len(self._active)))

    def clear(self) -> None:
        """Call all faults off."""
        with self._lock:
            self._active.clear()
            self.cache.clear()

    def match(self, info: RequestInfo, kinds: tuple[type, ...]) -> list[WireEffect | JobEffect]:
        """
        Match a request against the faults in force, and return the effects of some kinds that hit it.

        :param info: the request.
        :param kinds: `WIRE_EFFECTS`, drawn at the door, or `JOB_EFFECTS`, drawn when a job is made.
        """
        with self._lock:
            of_kind = [active for active in self._active if isinstance(active.fault.effect, kinds)]
            hits = [active.fault.effect for active in of_kind if active.count_match(info, self._seed)]
        markers = [
            marker.effect for marker in MARKERS if isinstance(marker.effect, kinds) and marker.matches(info)
        ]
        return markers + hits

    def to_json(self) -> list[dict[str, Any]]:
        """The faults in force with their counts."""
        with self._lock:
            return [active.to_json() for active in self._active]
