"""The README's retry table: rows are outcomes of an attempt, cells what the code decides on them."""

from __future__ import annotations

from airflow_provider_videos.api.retry import Call, Event, Outcome, Verdict, judge

COLUMNS = ("what happened", "GET", "DELETE", "POST that buys")
TOO_BUSY = "Too many requests"
OBEY = "retry, obey"

VERDICTS = {
    Verdict.RETRY: "retry",
    Verdict.RAISE: "raise",
    Verdict.GONE: "success",
    Verdict.UNKNOWN: "**unknown outcome**",
}
NOTES = {
    "gone": {Call.DELETE: "already gone: success, if the server does not know the video any more"},
    "not sent": {Call.BUY: "retry: nothing was sent"},
    "busy": {Call.READ: OBEY, Call.DELETE: OBEY, Call.BUY: "retry, obey: the server said no"},
    "proxy": {Call.READ: OBEY, Call.DELETE: OBEY},
    "money": {Call.BUY: "raise: permanent"},
}
"""Words that say more than the verdict; each contains its verdict."""


def _answered(
    *statuses: int, code: str | None = None, words: str = "", after: float | None = None
) -> list[Outcome]:
    return [Outcome(Event.ANSWERED, status, code, words, retry_after=after) for status in statuses]


ROWS: tuple[tuple[str, str, list[Outcome]], ...] = (
    ("could not connect, no free connection", "not sent", [Outcome(Event.NOT_SENT)]),
    (
        "429, or 409 or 503 with an API's JSON error envelope that says busy or comes with Retry-After",
        "busy",
        [*_answered(429), *_answered(409, 503, words=TOO_BUSY), *_answered(409, 503, words="No.", after=1)],
    ),
    ("409 or 503 with Retry-After and a proxy's page or no body", "proxy", _answered(409, 503, after=1)),
    (
        "429 `insufficient_quota`, `billing_hard_limit_reached`",
        "money",
        [*_answered(429, code="insufficient_quota"), *_answered(429, code="billing_hard_limit_reached")],
    ),
    (
        "write or read timeout, dropped connection, 408, any other 5xx",
        "",
        [Outcome(Event.LOST), *_answered(408, 500, 502, 503, 504, 599)],
    ),
    ("301, 302, 303 (content follows them)", "", _answered(301, 302, 303)),
    ("404, 410", "gone", _answered(404, 410)),
    ("501, 307, 308 and any other 4xx", "", _answered(501, 307, 308, 400, 401, 403, 405, 409, 413, 422, 451)),
    ("2xx that cannot be read", "", [Outcome(Event.UNREADABLE)]),
)


def render() -> str:
    """Return the table in Markdown, its cells out of :func:`~airflow_provider_videos.api.retry.judge`."""
    head = [_line(*COLUMNS), _line(*["---"] * len(COLUMNS))]
    return "\n".join([*head, *(_line(text, *_cells(note, outcomes)) for text, note, outcomes in ROWS)])


def _cells(note: str, outcomes: list[Outcome]) -> list[str]:
    return [_cell(call, NOTES.get(note, {}), outcomes) for call in Call]


def _cell(call: Call, notes: dict[Call, str], outcomes: list[Outcome]) -> str:
    (verdict,) = {judge(call, outcome) for outcome in outcomes}
    cell = notes.get(call, VERDICTS[verdict])
    if VERDICTS[verdict] not in cell:
        raise ValueError(f"the note {cell!r} says something else than the code: {verdict.value}")
    return cell


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
