"""
The tree of everything that can go wrong; its branches are what a caller can do about it.

.. code-block:: text

    VideosError
    ├── InvalidRequest      the request is wrong and was not sent: correct it
    ├── TransportError      no whole answer arrived: a read may be repeated
    │   └── NotConnected    ... and nothing was sent: anything may be repeated
    ├── OutcomeUnknown      a purchase was sent and may have been accepted: never repeat it blindly
    │   └── InDoubt         ... and the task that made it remembers it: a person decides
    ├── RequestChanged      the task has bought a video with another request
    ├── Superseded          a newer try of the task has taken over: what it recorded counts
    ├── AnswerError         the server answered with something other than what was asked for
    │   ├── Refused         a no that repeating does not change
    │   │   ├── Unauthorized      the key is missing, wrong or not allowed to do this
    │   │   ├── NotFound          there is no such video, or no such place
    │   │   ├── NotSupported      the server does not have this operation
    │   │   └── QuotaExhausted    the account is empty; waiting does not fill it
    │   ├── Busy            not now: repeat it after ``retry_after`` seconds
    │   ├── ServerFault     the server failed; nothing is known of the request
    │   └── Unreadable      a success whose body makes no sense
    ├── VideoFailed         the job ended without a video
    ├── VideoLost           the server no longer knows the job
    ├── VideoUnavailable    the server fails on this video alone
    └── DeliveryError       what came is not the whole file, or could not be written
        ├── Taken           another file stands where this one is wanted
        ├── Expired         the server no longer hands the file out
        ├── NotReady        the server said with a success that there is no file: it may come
        └── NoSuchVariant   the server does not have this file of the video

Every error is plain data, so it pickles whole. None holds a key, a prompt or a signed URL.
"""

from __future__ import annotations

__all__ = [
    "AnswerError",
    "Busy",
    "DeliveryError",
    "Expired",
    "InDoubt",
    "InvalidRequest",
    "NoSuchVariant",
    "NotConnected",
    "NotFound",
    "NotReady",
    "NotSupported",
    "OutcomeUnknown",
    "QuotaExhausted",
    "Refused",
    "RequestChanged",
    "ServerFault",
    "Superseded",
    "Taken",
    "TransportError",
    "Unauthorized",
    "Unreadable",
    "VideoFailed",
    "VideoLost",
    "VideoUnavailable",
    "VideosError",
]

# ruff: noqa: N818 - an error is named after what happened


class VideosError(Exception):
    """
    Anything that goes wrong between us and a Videos server.

    :param message: what happened and, where there is one, the next step.
    :param video_id: the video it happened to.
    """

    server: str | None = None
    """The connection and the address, where they may be what is wrong."""

    def __init__(self, message: str, *, video_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.video_id = video_id

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self._facts() if value is not None)
        return f"{self.message} ({facts})" if facts else self.message

    def name_server(self, name: str) -> None:
        """
        Have the message name the server, where its address or its key may be what is wrong.

        :param name: its connection and address.
        """
        self.server = name
        self.message += f"; {name}"

    def _facts(self) -> list[tuple[str, object]]:
        return [("video", self.video_id)]


class InvalidRequest(VideosError):
    """The request is wrong; nothing was sent."""


class TransportError(VideosError):
    """No whole answer arrived."""


class NotConnected(TransportError):
    """No connection was made, so nothing was sent."""


class OutcomeUnknown(VideosError):
    """
    A purchase was sent and its answer lost: the server may have accepted it.

    :param message: how it was lost.
    :param video_id: the video that the purchase starts from.
    :param is_pending: whether the server, or one behind it, may still be at work on the request.
    """

    def __init__(self, message: str, *, video_id: str | None = None, is_pending: bool = False) -> None:
        super().__init__(message, video_id=video_id)
        self.is_pending = is_pending


class InDoubt(OutcomeUnknown):
    """A task may have bought a video whose id nobody knows."""


class RequestChanged(VideosError):
    """The task has bought a video with another request than the one it makes now."""


class Superseded(VideosError):
    """A newer try of the task has taken over while this one was under way."""


class AnswerError(VideosError):
    """
    The server answered with something other than what was asked for.

    :param message: the server's own words, and what to do next.
    :param video_id: the video that was asked about.
    :param status_code: the HTTP status.
    :param code: the server's error code.
    :param request_id: the server's id of the request, for its operator's logs.
    :param retry_after: the seconds the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        video_id: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, video_id=video_id)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after

    def _facts(self) -> list[tuple[str, object]]:
        return [
            *super()._facts(),
            ("HTTP", self.status_code),
            ("code", self.code),
            ("request", self.request_id),
            ("retry after seconds", self.retry_after),
        ]


class Refused(AnswerError):
    """A no that repeating the request does not change."""


class Unauthorized(Refused):
    """The key is missing, wrong or not allowed to do this."""


class NotFound(Refused):
    """There is no such video, or no such place."""


class NotSupported(Refused):
    """The server does not have this operation."""


class QuotaExhausted(Refused):
    """The account is empty, and waiting does not fill it."""


class Busy(AnswerError):
    """The server said: not now."""


class ServerFault(AnswerError):
    """The server failed."""


class Unreadable(AnswerError):
    """A success whose body makes no sense."""


class VideoFailed(VideosError):
    """
    The job ended without a video.

    :param message: the server's reason.
    :param video_id: the video's id.
    :param code: the server's error code, such as ``moderation_blocked``.
    """

    def __init__(self, message: str, *, video_id: str | None = None, code: str | None = None) -> None:
        super().__init__(message, video_id=video_id)
        self.code = code

    def _facts(self) -> list[tuple[str, object]]:
        return [*super()._facts(), ("code", self.code)]


class VideoLost(VideosError):
    """The server no longer knows the job."""


class VideoUnavailable(VideosError):
    """The server fails whenever it is asked for this video, though it serves others."""


class DeliveryError(VideosError):
    """The file came incomplete, or could not be written to its destination."""


class Taken(DeliveryError):
    """Another file stands where this one is wanted, and it may not be replaced."""


class Expired(DeliveryError):
    """The server no longer hands the file out."""


class NotReady(DeliveryError):
    """
    The server answered with a success and no file.

    :param message: what it sent instead.
    :param video_id: the video's id.
    :param status_code: the HTTP status.
    :param retry_after: the seconds the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        video_id: str | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, video_id=video_id)
        self.status_code = status_code
        self.retry_after = retry_after

    def _facts(self) -> list[tuple[str, object]]:
        return [*super()._facts(), ("HTTP", self.status_code), ("retry after seconds", self.retry_after)]


class NoSuchVariant(DeliveryError):
    """The server does not have this file of the video."""
