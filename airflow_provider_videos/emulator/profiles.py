"""
Differences between living servers: a row a server, a field a difference.

The fields' defaults are the contract itself. The rest was measured against the running programs, or read in
their source, in November 2026.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.emulator.contract import RECENT
from airflow_provider_videos.emulator.errors import ContractError, envelope

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.jobs import JobError

Body = dict[str, Any]
JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"

# --- How ids look -----------------------------------------------------------------------------------------


def _uuid(token: str) -> str:
    return str(uuid.UUID(token, version=4))


WRAPPED = "video_"


def wrap(identity: str, model: str, *, listed: bool = False) -> str:
    """
    An upstream's id as a gateway hands it on: long, and with every letter of base64.

    :param identity: the upstream's.
    :param model: the upstream's model.
    :param listed: whether it is for the list, whose ids do not say which deployment the video is from.
    """
    inner = f"litellm:custom_llm_provider:openai;model_id:{model}???>>>;video_id:{identity}"
    if not listed:
        deployment = blake2b(model.encode(), digest_size=32).hexdigest()
        inner += f";deployment_id:{deployment}"
        inner += "0" * ((1 - len(inner)) % 3)  # so that it ends in "="
    return WRAPPED + b64encode(inner.encode()).decode()


def unwrap(identity: str) -> str:
    """
    The upstream's id out of what a client sends.

    :param identity: what a gateway has handed out, or the upstream's own id.
    """
    try:
        inner = b64decode(identity.removeprefix(WRAPPED), validate=True).decode()
    except ValueError:
        return identity
    return inner.partition("video_id:")[2].partition(";")[0] or identity


# --- How errors look --------------------------------------------------------------------------------------

Envelope = Callable[[int, str, "str | None", "str | None"], Any]


def _with_status(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"error": {"message": message, "type": "BadRequestError", "param": param, "code": status}}


def _bare(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"error": message}


def _detail(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"detail": [{"loc": ["body", param], "msg": message}] if param else message}


def _text(status: int, message: str, param: str | None, code: str | None) -> str:  # noqa: ARG001 - one signature
    return message


def _flat(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"object": "error", "message": message, "type": "BadRequestError", "param": param, "code": status}


def _coded(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"code": code or "invalid_request", "message": message, "data": None}


def _framework(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"detail": HTTPStatus(status).phrase}


def _hono(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    return {"error": True, "status": status, "message": HTTPStatus(status).phrase}


def _keyless(status: int, message: str, param: str | None, code: str | None) -> Body:  # noqa: ARG001 - one signature
    """A gateway without a database has nowhere to look a key up in."""
    return {"error": {"message": message, "type": "no_db_connection", "param": param, "code": code}}


def _nested(status: int, message: str, param: str | None, code: str | None) -> Body:
    """What an upstream said, as text in the middle of a gateway's own message."""
    upstream = json.dumps(envelope(status, message, param, code))
    return _wrapped_text(status, upstream)


def _wrapped_text(status: int, upstream: str) -> Body:
    words = f"litellm.APIError: OpenAIException - {upstream}\n\nLiteLLM: no fallback was attempted."
    return {"error": {"message": words, "type": "api_error", "param": None, "code": str(status)}}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no: the status, the words, and the envelope where it is not the server's usual one."""

    status: int
    message: str
    code: str | None = None
    envelope: Envelope | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def error(self, name: str = "") -> ContractError:
        """
        What is raised behind the door, and answered at the door.

        :param name: takes the place of `{}` in the words.
        """
        words = self.message.replace("{}", name)
        return ContractError(self.status, words, code=self.code, envelope=self.envelope, headers=self.headers)


# --- How jobs look ----------------------------------------------------------------------------------------


def _steady(percent: int) -> int | None:
    return percent


def _at_the_end(percent: int) -> int | None:
    return 100 if percent == 100 else 0


def _unsaid(percent: int) -> int | None:  # noqa: ARG001 - one signature
    return None


def _numbered(error: JobError) -> Body:
    return {"code": 500, "message": error.message}


def _only_message(error: JobError) -> Body:
    return {"message": error.message}


def _only_text(error: JobError) -> str:
    return error.message


def _as_it_is(video: Body) -> Body:
    return video


def _within_text(video: Body) -> Body:
    return _wrapped_text(500, json.dumps(video))


# --- How the list and deletions look ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Behaviour of the list."""

    default_limit: int | None = 20
    """None is all."""
    limits: tuple[int, int] | None = (1, 100)
    """None takes any, and 0 for an empty page with more behind it."""
    bad_limit: int = 400
    pages: bool = True
    """Whether it has pages, and says so; else it answers with everything, always."""
    needs: tuple[str, str] | None = None
    """A query parameter without which there is no list, and the error's words then."""
    also_shows: frozenset[str] = frozenset()
    """Fields of the contract that a video alone leaves out."""
    model: Callable[[str], str] = str
    """What it calls a model."""


def _receipt(video: Body) -> Body:
    return {"id": video["id"], "deleted": True, "object": "video.deleted"}


def _deleted_as_video(video: Body) -> Body:
    return {**video, "status": "deleted"}


def _flag(video: Body) -> Body:  # noqa: ARG001 - one signature
    return {"deleted": True}


# --- The table --------------------------------------------------------------------------------------------

NOT_READY = "Video is not ready yet, use GET /v1/videos/{video_id} to check status."


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One server's behaviour. The defaults are the contract's."""

    name: str
    connection: Mapping[str, Any] = field(default_factory=dict)
    """The extra of an Airflow connection that reaches it."""
    absent: frozenset[str] = frozenset()
    """Operations it does not have."""

    # What it takes
    asks_key: bool = True
    no_key: Refusal = Refusal(401, "You didn't provide an API key.", "invalid_api_key")
    wrong_key: Refusal = Refusal(401, "Incorrect API key provided.", "invalid_api_key")
    refused_encodings: Mapping[str, int] = field(default_factory=dict)
    """The status for each encoding that it does not take."""
    needs: tuple[str, ...] = ()
    """Fields of a create that it insists on, beside the prompt."""
    known_fields: frozenset[str] | None = None
    """The only fields its JSON may have; None takes all."""
    seconds_types: tuple[type, ...] = (str,)
    bad_seconds: int = 400
    busy: tuple[int, Refusal] | None = None
    """How many jobs it works on at once, and what it says to one more."""
    trailing_slash: int = 404
    delete_with_type: int | None = None
    """The status for a DELETE with a content type and no body, where that is not taken."""
    wrong_method: int = 405
    envelope: Envelope = envelope
    no_route: Envelope = envelope
    """How it says that there is no such path, or not with this method."""

    # What it says of a job
    created: int = 200
    identity: Callable[[str], str] = "video_{}".format
    wraps_ids: bool = False
    """Whether clients see wrapped ids, and shorter ones in the list than of a video alone."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Its own words for the contract's four."""
    progress: Callable[[int], int | None] = _steady
    seconds: tuple[str, Callable[[int], Any]] = ("seconds", str)
    """What it calls the length, and how it writes it."""
    dropped: frozenset[str] = frozenset()
    """Fields of the contract that it leaves out."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the contract that always have the same value."""
    error: Callable[[JobError], Any] = asdict
    failed_get: Callable[[Body], Body] | None = None
    """How it wraps a failed job into an answer of 500; None answers as for any other."""
    unknown_id: tuple[int, str | None] = (404, None)
    result_in: str | None = None
    """Where the job names its file: `url`, `urls`, `unsigned_urls`, `content` or `videos`."""

    # How it hands out files
    content: str = "here"
    """`here`, `elsewhere` for a redirect to a signed address, or `nowhere`."""
    not_ready: Refusal = Refusal(404, NOT_READY)
    failed: Refusal = Refusal(404, NOT_READY)
    variants: bool = True
    """Whether there are any; without, all are the video."""
    variant_refusal: Refusal | None = None
    """What it says to a variant by name that it does not have."""
    named_variants: frozenset[str] = frozenset()
    """The names it takes all the same."""
    container: str = "video"
    """What is rendered as the video: `video` for MP4, `avi`."""
    content_type: str | None = None
    """What it calls every file; None is the truth."""
    ranges: bool = True
    head: bool = False

    list: Listing = Listing()
    deleted: Callable[[Body], Body] = _receipt


_ROWS = (
    Profile(name="openai"),
    Profile(
        name="vllm-omni",
        absent=RECENT | {"remix"},
        no_key=Refusal(401, "Unauthorized", envelope=_bare),
        wrong_key=Refusal(401, "Unauthorized", envelope=_bare),
        refused_encodings={JSON: 400},
        trailing_slash=307,
        envelope=_with_status,
        no_route=_framework,
        identity="video_gen_{}".format,
        progress=_at_the_end,
        fixed={"size": None, "expires_at": None},
        error=_numbered,
        failed_get=_as_it_is,
        failed=Refusal(422, "The video generation failed."),
        variants=False,
        list=Listing(default_limit=None, limits=None),
    ),
    Profile(
        name="sglang",
        absent=RECENT | {"remix"},
        asks_key=False,
        refused_encodings={URLENCODED: 400},
        seconds_types=(str, int),
        trailing_slash=307,
        envelope=_detail,
        no_route=_framework,
        identity=_uuid,
        seconds=("seconds", "{:.2f}".format),
        dropped=frozenset({"prompt"}),
        fixed={"expires_at": None},
        error=_only_message,
        failed=Refusal(404, "Video not found.", envelope=_bare),
        variants=False,
        variant_refusal=Refusal(404, "Video variant {} not found"),
        list=Listing(bad_limit=422),
        deleted=_deleted_as_video,
    ),
    Profile(
        name="fastvideo",
        absent=RECENT | {"remix"},
        asks_key=False,
        refused_encodings={URLENCODED: 400},
        seconds_types=(str, int),
        trailing_slash=307,
        envelope=_detail,
        no_route=_framework,
        identity=str,
        words={"in_progress": "queued"},
        progress=_at_the_end,
        dropped=frozenset({"prompt", "expires_at"}),
        error=_only_message,
        failed=Refusal(500, "The video generation failed."),
        variants=False,
        list=Listing(pages=False, bad_limit=422),
        deleted=_deleted_as_video,
    ),
    Profile(
        name="aquiles",
        absent=RECENT | {"remix"},
        wrong_key=Refusal(403, "Invalid API key"),
        refused_encodings={URLENCODED: 500},
        bad_seconds=500,
        busy=(1, Refusal(503, "The limit of 1 concurrent video generations is reached")),
        trailing_slash=307,
        envelope=_detail,
        no_route=_framework,
        identity="video_{:.12}".format,
        words={"in_progress": "processing"},
        dropped=frozenset({"expires_at"}),
        fixed={"size": None},
        not_ready=Refusal(500, "Internal Server Error", envelope=_text),
        failed=Refusal(500, "Internal Server Error", envelope=_text),
        variants=False,
        list=Listing(limits=None),
    ),
    Profile(
        name="qvac",
        connection={"model": "emulated-1"},
        absent=RECENT | {"remix"},
        refused_encodings={URLENCODED: 500},
        needs=("model",),
        trailing_slash=400,
        delete_with_type=400,
        identity="video_{:.24}".format,
        fixed={"expires_at": 253402300799},
        not_ready=Refusal(409, "The video is not completed.", headers={"retry-after": "2"}),
        failed=Refusal(409, "The video has failed."),
        variant_refusal=Refusal(501, "The variant '{}' is not supported."),
        named_variants=frozenset({"video"}),
        container="avi",
        ranges=False,
        head=True,
    ),
    Profile(
        name="litellm",
        connection={"model": "emulated-1", "query": {"custom_llm_provider": "openai"}},
        absent=frozenset({"delete"}),
        wrong_key=Refusal(400, "No connected db.", "400", envelope=_keyless),
        needs=("model",),
        seconds_types=(str, int),
        trailing_slash=307,
        envelope=_nested,
        no_route=_framework,
        wraps_ids=True,
        dropped=frozenset({"prompt"}),
        failed_get=_within_text,
        unknown_id=(500, None),
        variants=False,
        content_type="video/mp4",
        ranges=False,
        list=Listing(
            needs=("custom_llm_provider", "LLM Provider NOT provided. You passed model="),
            also_shows=frozenset({"prompt"}),
            model="upstream-{}".format,
        ),
    ),
    Profile(
        name="tensorrt-llm",
        absent=RECENT | {"remix"},
        asks_key=False,
        refused_encodings={URLENCODED: 400},
        known_fields=frozenset(
            (
                *("prompt", "model", "size", "seconds", "fps", "n", "seed", "negative_prompt"),
                *("input_reference", "num_inference_steps", "guidance_scale", "guidance_rescale"),
                "output_format",
            )
        ),
        seconds_types=(str, int, float),
        trailing_slash=307,
        envelope=_flat,
        no_route=_framework,
        created=202,
        progress=_unsaid,
        seconds=("duration", float),
        dropped=frozenset({"expires_at"}),
        error=_only_text,
        not_ready=Refusal(400, "The video is not ready (status: in_progress)"),
        failed=Refusal(400, "The video is not ready (status: failed)"),
        variants=False,
        container="avi",
        content_type="video/x-msvideo",
        list=Listing(pages=False),
        deleted=_flag,
    ),
    Profile(
        name="new-api",
        absent=RECENT | {"list", "delete"},
        seconds_types=(str, int),
        wrong_method=404,
        envelope=_coded,
        identity="task_{}".format,
        words={"queued": "unknown"},
        dropped=frozenset({"expires_at"}),
        unknown_id=(400, "task_not_exist"),
        not_ready=Refusal(400, "Task is not completed yet"),
        failed=Refusal(400, "Task is not completed yet"),
        variants=False,
    ),
    Profile(
        name="llm-gateway",
        connection={"request_format": "json", "seconds_type": "integer"},
        absent=RECENT | {"remix", "list", "delete"},
        refused_encodings={"multipart/form-data": 400, URLENCODED: 400},
        needs=("seconds",),
        seconds_types=(int,),
        wrong_method=404,
        no_route=_hono,
        dropped=frozenset({"prompt", "size", "seconds", "remixed_from_video_id"}),
        result_in="content",
        variants=False,
    ),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ROWS})
CONTRACT = "openai"
"""The profile that is the contract itself."""
