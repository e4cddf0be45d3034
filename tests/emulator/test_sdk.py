"""The official SDK against the emulator: every call it can send, and every error it can name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import openai
import pytest
from PIL import Image

from airflow_provider_videos.emulator import Answer, Drop, Emulator, Fault, Stall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def sdk(videos_emulator: Emulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=videos_emulator.base_url, api_key=videos_emulator.api_key, max_retries=0, timeout=5
    ) as sdk:
        yield sdk


def picture(size: tuple[int, int], form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, form)
    return out.getvalue()


def completed(sdk: openai.OpenAI, emulator: Emulator) -> str:
    identity = sdk.videos.create(prompt="A red fox").id
    emulator.clock.advance(6)
    return identity


def test_create_and_retrieve(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    video = sdk.videos.create(
        prompt="A red fox", model="sora-2", seconds="8", size="1280x720", extra_body={"fps": 12}
    )

    assert (video.status, video.model, video.seconds, video.size) == ("queued", "sora-2", "8", "1280x720")
    assert sdk.videos.retrieve(video.id) == video
    assert videos_emulator.purchases[0].fields["fps"] == "12"


def test_create_with_an_image(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    for form, kind in (("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")):
        sdk.videos.create(prompt="x", input_reference=("first", picture((720, 1280), form), kind))

    assert [p.fields["input_reference"]["content_type"] for p in videos_emulator.purchases] == [
        "image/png",
        "image/jpeg",
        "image/webp",
    ]


def test_create_with_an_image_elsewhere(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    """Through `extra_body`: the SDK's own parameter takes an object by its type, but refuses to send one."""
    for reference in ({"file_id": "file_1"}, {"image_url": "https://example.com/x.png"}):
        sdk.videos.create(prompt="x", extra_body={"input_reference": reference})
        assert videos_emulator.purchases[-1].fields["input_reference"] == reference


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (picture((720, 720)), "image/png", "Inpaint image must match"),
        (picture((720, 1280)), "image/gif", "unsupported mimetype"),
        (b"no image", "image/png", "cannot be read"),
    ],
)
def test_a_wrong_image_is_refused(data: bytes, kind: str, message: str, sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        sdk.videos.create(prompt="x", input_reference=("first", data, kind))


def test_create_and_poll() -> None:
    with Emulator(job_seconds=0) as emulator:
        sdk = openai.OpenAI(base_url=emulator.base_url, api_key=emulator.api_key)
        assert sdk.videos.create_and_poll(prompt="A red fox").status == "completed"


def test_list_goes_through_the_pages(sdk: openai.OpenAI) -> None:
    bought = [sdk.videos.create(prompt="x").id for _ in range(5)]

    assert [video.id for video in sdk.videos.list(limit=2, order="asc")] == bought
    assert [video.id for video in sdk.videos.list(limit=2)] == bought[::-1]


def test_delete(sdk: openai.OpenAI) -> None:
    identity = sdk.videos.create(prompt="x").id

    receipt = sdk.videos.delete(identity)

    assert (receipt.id, receipt.deleted, receipt.object) == (identity, True, "video.deleted")
    with pytest.raises(openai.NotFoundError):
        sdk.videos.retrieve(identity)


def test_download(sdk: openai.OpenAI, videos_emulator: Emulator, tmp_path: Path) -> None:
    identity = completed(sdk, videos_emulator)

    sdk.videos.download_content(identity).write_to_file(tmp_path / "video.mp4")
    with sdk.videos.with_streaming_response.download_content(identity) as response:
        streamed = b"".join(response.iter_bytes())

    assert (tmp_path / "video.mp4").read_bytes() == streamed
    assert streamed[4:8] == b"ftyp"


def test_remix_edit_extend(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    identity = completed(sdk, videos_emulator)

    remix = sdk.videos.remix(identity, prompt="In winter")
    # By `extra_body`: the SDK's own parameter takes an object by its type, but refuses to send one.
    source = {"video": {"id": identity}}
    edit = sdk.videos.edit(prompt="At night", video=openai.omit, extra_body=source)  # type: ignore[arg-type]  # see above
    extension = sdk.videos.extend(prompt="Further", seconds="8", video=openai.omit, extra_body=source)  # type: ignore[arg-type]  # see above

    assert remix.remixed_from_video_id == identity
    assert edit.prompt == "At night"
    assert extension.seconds == "12"
    assert [p.operation for p in videos_emulator.purchases] == ["create", "remix", "edit", "extend"]


def test_edit_extend_and_character_take_a_file(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    file = ("fox.mp4", sdk.videos.download_content(completed(sdk, videos_emulator)).read(), "video/mp4")

    assert sdk.videos.edit(prompt="x", video=file).size == "720x1280"
    assert sdk.videos.extend(prompt="x", seconds="4", video=file).seconds == "8"
    character = sdk.videos.create_character(name="Fox", video=file)
    assert character.id
    assert sdk.videos.get_character(character.id).name == "Fox"
    video = sdk.videos.create(prompt="x", extra_body={"characters": [{"id": character.id}]})
    assert videos_emulator.purchases[-1].video_id == video.id
    with pytest.raises(openai.NotFoundError):
        sdk.videos.create(prompt="x", extra_body={"characters": [{"id": "char_none"}]})


def test_a_source_has_to_be_completed(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="not completed"):
        sdk.videos.remix(sdk.videos.create(prompt="x").id, prompt="y")


def test_models(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == ["emulated-1", "emulated-1-pro"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_status_is_an_error_of_its_own(
    status: int, error: type[openai.APIStatusError], sdk: openai.OpenAI, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Answer(status=status)))

    with pytest.raises(error) as raised:
        sdk.videos.create(prompt="x")

    assert raised.value.request_id == videos_emulator.record.exchanges[-1].request_id
    assert not videos_emulator.purchases


def test_a_wrong_key(videos_emulator: Emulator) -> None:
    sdk = openai.OpenAI(base_url=videos_emulator.base_url, api_key="wrong", max_retries=0)

    with pytest.raises(openai.AuthenticationError) as raised:
        sdk.videos.create(prompt="x")

    assert raised.value.code == "invalid_api_key"


def test_a_wrong_value_is_named(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        sdk.videos.create(prompt="x", seconds="5")  # type: ignore[arg-type]  # the point

    assert (raised.value.param, raised.value.code) == ("seconds", "invalid_value")


def test_connections_break(sdk: openai.OpenAI, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Drop()), Fault(Stall(), nth=2))

    with pytest.raises(openai.APIConnectionError):
        sdk.videos.create(prompt="x")
    with pytest.raises(openai.APITimeoutError):
        sdk.with_options(timeout=0.1).videos.create(prompt="x")


def test_the_sdk_buys_twice_when_it_retries(videos_emulator: Emulator) -> None:
    """Why this provider sends its own requests."""
    videos_emulator.inject(Fault(Drop(accepted=True), operation="create"))
    sdk = openai.OpenAI(base_url=videos_emulator.base_url, api_key=videos_emulator.api_key)

    sdk.videos.create(prompt="x")

    assert len(videos_emulator.purchases) == 2


async def test_async(videos_emulator: Emulator) -> None:
    async with openai.AsyncOpenAI(
        base_url=videos_emulator.base_url, api_key=videos_emulator.api_key, max_retries=0
    ) as sdk:
        video = await sdk.videos.create(prompt="A red fox")
        videos_emulator.clock.advance(6)
        assert (await sdk.videos.retrieve(video.id)).status == "completed"
        async with sdk.videos.with_streaming_response.download_content(
            video.id, variant="thumbnail"
        ) as response:
            assert (await response.read())[8:12] == b"WEBP"
        remix = await sdk.videos.remix(video.id, prompt="In winter")
        assert [item.id async for item in sdk.videos.list(limit=1)] == [remix.id, video.id]
        assert (await sdk.videos.delete(video.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await sdk.videos.retrieve(video.id)
