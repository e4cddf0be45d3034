"""The ten operations of the Videos API, and the list of models."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from starlette.responses import JSONResponse

from airflow_provider_videos.emulator import answers, fields
from airflow_provider_videos.emulator.content import serve
from airflow_provider_videos.emulator.errors import ContractError, not_found
from airflow_provider_videos.emulator.faults import IN_A_LIFE, JobEffect, WireEffect
from airflow_provider_videos.emulator.jobs import Fate, Job, Status, work_seconds
from airflow_provider_videos.emulator.library import VARIANTS, Library, image_size, video_measures
from airflow_provider_videos.emulator.record import Purchase

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_provider_videos.emulator.fields import Fields
    from airflow_provider_videos.emulator.state import State

DEFAULT_SIZE = "720x1280"
DEFAULT_SECONDS = "4"
DEFAULT_LIMIT = 20
MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request to buy, understood and found good."""

    operation: str
    fields: Fields
    model: str
    size: str
    seconds: int
    remixed_from: str | None = None
    reference: bytes | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a new video is made from."""

    model: str
    size: str
    seconds: int


class Operations:
    """
    One method an operation: a request in, a response out.

    :param state: the server they belong to.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._library = Library()

    @property
    def _now(self) -> float:
        return self._state.clock.now()

    async def create(self, request: Request) -> Response:
        """Buy a video."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        size = fields.choice(given, "size", fields.SIZES, DEFAULT_SIZE)
        seconds = int(fields.choice(given, "seconds", fields.SECONDS, DEFAULT_SECONDS))
        self._check_characters(given)
        image = await self._image(given, size)
        model = self._model(given)
        order = Order(
            operation="create", fields=given, model=model, size=size, seconds=seconds, reference=image
        )
        return self._sell(order, request)

    async def remix(self, request: Request, video_id: str) -> Response:
        """Buy another video after a completed one."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        source = self._completed(video_id)
        order = Order(
            operation="remix",
            fields=given,
            model=source.model,
            size=source.size,
            seconds=source.seconds,
            remixed_from=video_id,
        )
        return self._sell(order, request)

    async def edit(self, request: Request) -> Response:
        """Buy a changed version of a video."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        source = await self._source(given)
        order = Order(
            operation="edit", fields=given, model=source.model, size=source.size, seconds=source.seconds
        )
        return self._sell(order, request)

    async def extend(self, request: Request) -> Response:
        """Buy a longer version of a video."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        fields.text(given, "seconds", fields.LONGEST_PROMPT)
        more = int(fields.choice(given, "seconds", fields.SECONDS, DEFAULT_SECONDS))
        source = await self._source(given)
        order = Order(
            operation="extend",
            fields=given,
            model=source.model,
            size=source.size,
            seconds=source.seconds + more,
        )
        return self._sell(order, request)

    async def retrieve(self, _: Request, video_id: str) -> Response:
        """How a video stands."""
        return JSONResponse(answers.video(self._job(video_id), self._now))

    async def list(self, request: Request) -> Response:
        """The videos, a page at a time."""
        query = dict(request.query_params)
        order = cast('Literal["asc", "desc"]', fields.choice(query, "order", ("asc", "desc"), "desc"))
        after, now = query.get("after"), self._now
        page = self._state.jobs.page(now, after=after, limit=_limit(query), order=order)
        if page is None:
            message = f"No video with id '{after}' to go on from."
            raise ContractError(400, message, param="after", code="invalid_value")
        return JSONResponse(answers.page(page, now))

    async def delete(self, _: Request, video_id: str) -> Response:
        """Remove a video for good."""
        self._job(video_id)
        self._state.jobs.remove(video_id)
        return JSONResponse(answers.deleted(video_id))

    async def content(self, request: Request, video_id: str) -> Response:
        """A completed video's file."""
        variant = fields.choice(dict(request.query_params), "variant", VARIANTS, "video")
        job = self._job(video_id)
        if job.status(self._now) is not Status.COMPLETED:
            raise ContractError(404, "Video is not ready yet, use GET /v1/videos/{video_id} to check status.")
        if self._now >= job.expires:
            raise ContractError(404, "The video is no longer available. Downloads expire after 1 hours.")
        return serve(request.headers, self._state.content or await self._library.file(job, variant))

    async def create_character(self, request: Request) -> Response:
        """Make a reusable character out of a video."""
        given = await fields.read_fields(request)
        name = fields.text(given, "name", fields.LONGEST_NAME)
        upload = fields.reference(given, "video")
        if not isinstance(upload, fields.Upload):
            raise ContractError(
                400, "A character is made from a video file.", param="video", code="invalid_type"
            )
        await self._measured(upload)
        identity = f"char_{self._state.character_tokens.next()}"
        figure = answers.Character(identity, name, int(self._now))
        self._state.characters[identity] = figure
        return JSONResponse(answers.character(figure))

    async def retrieve_character(self, _: Request, character_id: str) -> Response:
        """A character."""
        return JSONResponse(answers.character(self._character(character_id)))

    async def models(self, _: Request) -> Response:
        """The models' names."""
        return JSONResponse(answers.models(self._state.models, self._now))

    def _sell(self, order: Order, request: Request) -> Response:
        state, now, token = self._state, self._now, self._state.video_tokens.next()
        job = Job(
            id=f"video_{token}",
            model=order.model,
            prompt=order.fields["prompt"],
            size=order.size,
            seconds=order.seconds,
            created=now,
            work=work_seconds(token, state.job_seconds),
            remixed_from=order.remixed_from,
            reference=order.reference,
            fate=_fate(state.faults.strike(request.state.aim, IN_A_LIFE)),
        )
        state.jobs.add(job)
        known = fields.describe(order.fields)
        purchase = Purchase(operation=order.operation, video_id=job.id, fields=known, at=now)
        state.record.purchases.append(purchase)
        return JSONResponse(answers.video(job, now))

    def _model(self, given: Fields) -> str:
        if given.get("model") is None:
            return self._state.models[0]
        return fields.text(given, "model", fields.LONGEST_PROMPT)

    def _job(self, video_id: str) -> Job:
        job = self._state.jobs.get(video_id, self._now)
        if job is None:
            raise not_found("Video", video_id)
        return job

    def _completed(self, video_id: str) -> Job:
        job = self._job(video_id)
        if job.status(self._now) is not Status.COMPLETED:
            raise ContractError(
                400, f"Video '{video_id}' is not completed.", param="video", code="invalid_value"
            )
        return job

    def _character(self, character_id: str) -> answers.Character:
        if character_id not in self._state.characters:
            raise not_found("Character", character_id)
        return self._state.characters[character_id]

    def _check_characters(self, given: Fields) -> None:
        for identity in fields.characters(given):
            self._character(identity)

    async def _image(self, given: Fields, size: str) -> bytes | None:
        data = fields.image(given, "input_reference")
        if data is None:
            return None
        pixels = await asyncio.to_thread(image_size, data)
        if pixels is None:
            message = "Invalid file: it cannot be read as JPEG, PNG or WebP."
            raise ContractError(400, message, param="input_reference", code="invalid_image")
        if pixels != size:
            raise ContractError(400, "Inpaint image must match the requested width and height")
        return data

    async def _source(self, given: Fields) -> Source:
        video = fields.reference(given, "video")
        if isinstance(video, str):
            job = self._completed(video)
            return Source(job.model, job.size, job.seconds)
        size, seconds = await self._measured(video)
        return Source(self._model(given), size, seconds)

    async def _measured(self, upload: fields.Upload) -> tuple[str, int]:
        measures = await asyncio.to_thread(video_measures, upload.data)
        if measures is None:
            message = "Invalid file: there is no video in it."
            raise ContractError(400, message, param="video", code="invalid_video")
        return measures


def _fate(effects: list[WireEffect | JobEffect]) -> Fate:
    fate = Fate()
    for effect in effects:
        if not isinstance(effect, WireEffect):
            fate = effect.decide(fate)
    return fate


def _limit(query: dict[str, str]) -> int:
    given = query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"-?[0-9]{1,9}", given):
        message = f"Invalid type for 'limit': expected an integer, but got '{given}'."
        raise ContractError(400, message, param="limit", code="invalid_type")
    if not 1 <= int(given) <= MOST_LISTED:
        message = f"Invalid 'limit': expected 1 to {MOST_LISTED}, but got {given}."
        code = "integer_below_min_value" if int(given) < 1 else "integer_above_max_value"
        raise ContractError(400, message, param="limit", code=code)
    return int(given)
