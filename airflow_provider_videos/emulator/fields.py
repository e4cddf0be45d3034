"""Reading a request: its fields out of any of the three encodings, and the checks they have to pass."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from airflow_provider_videos.emulator.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.datastructures import FormData
    from starlette.requests import Request

SECONDS = ("4", "8", "12", "16", "20")
SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024", "1080x1920", "1920x1080")
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/webm")
LONGEST_PROMPT = 32_000
LONGEST_NAME = 80
LARGEST_FIELD = 1 << 26
MOST_CHARACTERS = 2
JSON_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}

Fields = dict[str, Any]
BRACKETED = re.compile(r"(\w+)(\[\d*\])?\[(\w+)\]")
DATA_URL = re.compile(r"data:(?P<type>[\w/+.-]+);base64,(?P<data>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file part."""

    filename: str
    content_type: str
    data: bytes

    def describe(self) -> dict[str, Any]:
        """What goes on record instead of the bytes."""
        return {
            "filename": self.filename,
            "content_type": self.content_type,
            "size": len(self.data),
            "sha256": sha256(self.data).hexdigest(),
        }


def describe(fields: Fields) -> Fields:
    """The fields for the record: files described, all else as it came."""
    return {name: _described(value) for name, value in fields.items()}


def _described(value: Any) -> Any:
    match value:
        case Upload():
            return value.describe()
        case dict():
            return {name: _described(inner) for name, inner in value.items()}
        case list():
            return [_described(inner) for inner in value]
        case str() if value.startswith("data:"):
            return f"{value.partition(',')[0]},... ({len(value)} characters)"
    return value


def encoding(request: Request) -> str:
    """The mimetype of a request's body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_fields(request: Request, refused: Mapping[str, int] | None = None) -> Fields:
    """
    The fields of a request's body.

    :param request: multipart, urlencoded or JSON.
    :param refused: the status for each encoding that is not taken here.
    :raises ContractError: when it is none of these, or broken.
    """
    kind = encoding(request)
    if refused and kind in refused:
        raise ContractError(refused[kind], f"Unsupported content type: '{kind}'.")
    if kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        form = await _form(request)
        return nest([(name, await _value(value)) for name, value in form.multi_items()])
    if kind == "application/json":
        return _json_object(await request.body())
    raise ContractError(
        400, f"Unsupported content type: '{kind}'. Send JSON or a form.", code="unsupported_content_type"
    )


async def _form(request: Request) -> FormData:
    try:
        return await request.form(max_part_size=LARGEST_FIELD)
    except (MultiPartException, KeyError, AssertionError) as error:
        raise ContractError(400, "We could not parse the form of your request.") from error


async def _value(value: UploadFile | str) -> Upload | str:
    if not isinstance(value, UploadFile):
        return value
    content_type = value.content_type or "application/octet-stream"
    await value.seek(0)  # a request is read twice: for what is aimed at its prompt, and for its operation
    return Upload(value.filename or "", content_type, await value.read())


def _json_object(body: bytes) -> Fields:
    try:
        fields = json.loads(body)
        # What could not be answered, listed or put on record again is not taken.
        json.dumps(fields, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ContractError(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(fields, dict):
        raise ContractError(400, "The body of your request is not a JSON object.", code="invalid_type")
    return fields


def nest(items: Iterable[tuple[str, Upload | str]]) -> Fields:
    """The fields of a form, `video[id]` read as an object and `characters[][id]` as a list of objects."""
    fields: Fields = {}
    for name, value in items:
        match = BRACKETED.fullmatch(name)
        if not match:
            fields[name] = value
        elif match[2]:
            _kept(fields, match[1], list).append({match[3]: value})
        else:
            _kept(fields, match[1], dict)[match[3]] = value
    return fields


def _kept(fields: Fields, name: str, kind: type) -> Any:
    if not isinstance(fields.get(name), kind):
        fields[name] = kind()
    return fields[name]


def _invalid_type(param: str, expected: str, value: Any) -> ContractError:
    got = JSON_NAMES.get(type(value), "a file")
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return ContractError(400, message, param=param, code="invalid_type")


def text(fields: Fields, param: str, longest: int) -> str:
    """A field that has to be there: a text of 1 to so many characters."""
    value = fields.get(param)
    if value is None:
        message = f"Missing required parameter: '{param}'."
        raise ContractError(400, message, param=param, code="missing_required_parameter")
    if not isinstance(value, str):
        raise _invalid_type(param, "a string", value)
    if not 1 <= len(value) <= longest:
        message = f"Invalid '{param}': expected a string of 1 to {longest} characters, but got {len(value)}."
        code = "string_above_max_length" if value else "empty_string"
        raise ContractError(400, message, param=param, code=code)
    return value


def choice(fields: Fields, param: str, allowed: Sequence[str], default: str) -> str:
    """A text out of a list; absent, the default."""
    value = fields.get(param)
    if value is None:
        return default
    listed = ", ".join(f"'{item}'" for item in allowed)
    if not isinstance(value, str):
        raise _invalid_type(param, f"one of {listed}", value)
    if value not in allowed:
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise ContractError(400, message, param=param, code="invalid_value")
    return value


def present(fields: Fields, param: str) -> None:
    """A field that has to be there, whatever it is."""
    if fields.get(param) is None:
        message = f"Missing required parameter: '{param}'."
        raise ContractError(400, message, param=param, code="missing_required_parameter")


def only(fields: Fields, known: frozenset[str]) -> None:
    """No field but those that are known."""
    for name in sorted(set(fields) - known):
        raise ContractError(422, "Extra inputs are not permitted", param=name)


def length(fields: Fields, types: Sequence[type], status: int) -> int:
    """The length in seconds, of one of the types that are taken; absent, the default."""
    value = fields.get("seconds")
    if value is not None and type(value) not in types:
        message = f"Invalid type for 'seconds': got {JSON_NAMES.get(type(value), 'a file')}."
        raise ContractError(status, message, param="seconds", code="invalid_type")
    text = None if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return int(choice({"seconds": text}, "seconds", SECONDS, SECONDS[0]))


def decoded(fields: Fields, param: str) -> Any:
    """A field that is an object or a list: forms may carry it as JSON text."""
    value = fields.get(param)
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError as error:
            raise _invalid_type(param, "JSON", value) from error
    return value


def reference(fields: Fields, param: str) -> str | Upload:
    """A field that names a video, `{id}`, or is one."""
    value = decoded(fields, param)
    if isinstance(value, Upload):
        return _of_type(value, param, VIDEO_TYPES)
    if isinstance(value, dict):
        return text({f"{param}.id": value.get("id")}, f"{param}.id", LONGEST_PROMPT)
    if value is None:
        raise ContractError(
            400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
        )
    raise _invalid_type(param, "a file or an object with an id", value)


def image(fields: Fields, param: str) -> bytes | None:
    """The image a video begins with: a file part or an object; None when its bytes aren't here."""
    value = decoded(fields, param)
    if value is None:
        return None
    if isinstance(value, Upload):
        return _of_type(value, param, IMAGE_TYPES).data
    if not isinstance(value, dict):
        raise _invalid_type(param, "a file or an object with file_id or image_url", value)
    url = value.get("image_url")
    if not isinstance(url or value.get("file_id"), str):
        raise _invalid_type(param, "an object with file_id or image_url", value)
    return _data_url(url, param) if url and url.startswith("data:") else None


def _data_url(url: str, param: str) -> bytes:
    match = DATA_URL.fullmatch(url)
    try:
        data = base64.b64decode(match["data"], validate=True) if match else b""
    except binascii.Error:
        data = b""
    if not match or not data:
        raise ContractError(
            400, "The data URL cannot be read.", param=f"{param}.image_url", code="invalid_image_url"
        )
    return _of_type(Upload("image_url", match["type"], data), param, IMAGE_TYPES).data


def _of_type(upload: Upload, param: str, allowed: Sequence[str]) -> Upload:
    if upload.content_type not in allowed:
        listed = ", ".join(f"'{kind}'" for kind in allowed)
        message = (
            f"Invalid file '{upload.filename}': unsupported mimetype ('{upload.content_type}'). "
            f"Supported file formats are {listed}."
        )
        raise ContractError(400, message, param=param, code="unsupported_file_mimetype")
    return upload


def characters(fields: Fields) -> list[str]:
    """The ids of the characters to appear, at most two."""
    value = decoded(fields, "characters")
    if value is None:
        return []
    if not isinstance(value, list):
        raise _invalid_type("characters", "an array of objects", value)
    if len(value) > MOST_CHARACTERS:
        message = f"Invalid 'characters': expected at most {MOST_CHARACTERS}, but got {len(value)}."
        raise ContractError(400, message, param="characters", code="array_above_max_length")
    return [_character(item, f"characters[{place}]") for place, item in enumerate(value)]


def _character(item: Any, param: str) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise _invalid_type(param, "an object with an id", item)
    return str(item["id"])
