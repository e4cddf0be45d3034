"""The ten operations of the Videos API, and the list of models."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_provider_videos.emulator import bodies, fields
from airflow_provider_videos.emulator.content import serve
from airflow_provider_videos.emulator.contract import FILES
from airflow_provider_videos.emulator.errors import ContractError, not_found
from airflow_provider_videos.emulator.faults import JOB_EFFECTS, JobEffect, WireEffect
from airflow_provider_videos.emulator.jobs import Job, JobPlan, Status, work_seconds
from airflow_provider_videos.emulator.profiles import JSON, unwrap
from airflow_provider_videos.emulator.record import Purchase
from airflow_provider_videos.emulator.render_cache import VARIANTS, image_size, video_measures

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_videos.emulator.fields import Fields
    from airflow_provider_videos.emulator.jobs import Jobs
    from airflow_provider_videos.emulator.profiles import Listing, Profile
    from airflow_provider_videos.emulator.render_cache import RenderCache
    from airflow_provider_videos.emulator.state import State

DEFAULT_SIZE = "720x1280"
MANY = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Request that makes a job, understood and found good."""

    operation: str
    fields: Fields
    model: str
    size: str
    seconds: int
    remixed_from: str | None = None
    reference: bytes | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of a new video."""

    model: str
    size: str
    seconds: int


class Operations:
    """
    One method an operation: a request in, a response out.

    :param state: the server they belong to.
    :param jobs: the jobs it knows, one replica's where there are several.
    :param rendered: its rendered files.
    """

    def __init__(self, state: State, jobs: Jobs, rendered: RenderCache) -> None:
        self._state = state
        self._jobs = jobs
        self._rendered = rendered

    @property
    def _profile(self) -> Profile:
        return self._state.profile

    @property
    def _now(self) -> float:
        return self._state.clock.now()

    async def create(self, request: Request) -> Response:
        """Buy a video."""
        given = await fields.read_fields(request, self._profile.refused_encodings)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        self._check_demands(given, request)
        size = fields.choice(given, "size", fields.SIZES, DEFAULT_SIZE)
        seconds = self._seconds(given)
        self._check_characters(given)
        image = await self._image(given, size)
        model = self._model(given)
        job_request = JobRequest(
            operation="create", fields=given, model=model, size=size, seconds=seconds, reference=image
        )
        return self._create_job(job_request, request)

    async def remix(self, request: Request, video_id: str) -> Response:
        """Buy another video after a completed one."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        source = self._completed(video_id)
        job_request = JobRequest(
            operation="remix",
            fields=given,
            model=source.model,
            size=source.size,
            seconds=source.seconds,
            remixed_from=video_id,
        )
        return self._create_job(job_request, request)

    async def edit(self, request: Request) -> Response:
        """Buy a changed version of a video."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        source = await self._source(given)
        job_request = JobRequest(
            operation="edit", fields=given, model=source.model, size=source.size, seconds=source.seconds
        )
        return self._create_job(job_request, request)

    async def extend(self, request: Request) -> Response:
        """Buy a longer version of a video."""
        given = await fields.read_fields(request)
        fields.text(given, "prompt", fields.LONGEST_PROMPT)
        fields.present(given, "seconds")
        more = self._seconds(given)
        source = await self._source(given)
        job_request = JobRequest(
            operation="extend",
            fields=given,
            model=source.model,
            size=source.size,
            seconds=source.seconds + more,
        )
        return self._create_job(job_request, request)

    async def retrieve(self, request: Request, video_id: str) -> Response:
        """How a video stands."""
        job, profile = self._job(video_id), self._profile
        drawn = bodies.wrapped(bodies.video(job, self._now, profile), profile)
        status = job.status(self._now)
        if status is Status.FAILED and profile.failed_get:
            return JSONResponse(profile.failed_get(drawn), 500)
        if status is Status.COMPLETED:
            drawn = bodies.with_result(drawn, profile, signed_url(request, job))
        return JSONResponse(drawn)

    async def list(self, request: Request) -> Response:
        """The videos, a page at a time."""
        query, listing = dict(request.query_params), self._profile.list
        if listing.needs and listing.needs not in query:
            raise ContractError(400, "LLM Provider NOT provided. You passed model=")
        order = cast('Literal["asc", "desc"]', fields.choice(query, "order", ("asc", "desc"), "desc"))
        after, now = query.get("after"), self._now
        limit = _limit(query, listing)
        page = self._jobs.page(now, after=after and unwrap(after), limit=limit, order=order)
        if not listing.pages:
            page = self._jobs.page(now, after=None, limit=MANY, order=order)
        if page is None:
            message = f"No video with id '{after}' to go on from."
            raise ContractError(400, message, param="after", code="invalid_value")
        return JSONResponse(bodies.page(page, now, self._profile))

    async def delete(self, request: Request, video_id: str) -> Response:
        """Remove a video for good."""
        profile = self._profile
        if profile.delete_with_type and fields.encoding(request):
            raise ContractError(profile.delete_with_type, "A body is empty, and its content type is set.")
        job = self._job(video_id)
        self._jobs.remove(job.id)
        return JSONResponse(profile.deleted(bodies.video(job, self._now, profile)))

    async def content(self, request: Request, video_id: str) -> Response:
        """A completed video's file."""
        profile, job = self._profile, self._job(video_id)
        kind = self._kind(dict(request.query_params))
        status = job.status(self._now)
        if status is not Status.COMPLETED:
            raise (profile.failed if status is Status.FAILED else profile.not_ready).error()
        if self._now >= job.expires:
            raise ContractError(404, "The video is no longer available. Downloads expire after 1 hours.")
        if profile.content == "nowhere":
            raise ContractError(404, "There is no file here.")
        if profile.content == "elsewhere":
            return RedirectResponse(signed_url(request, job), 302)
        return await self._serve(request, job, kind)

    async def file(self, request: Request, name: str) -> Response:
        """A completed video's file at its signed address, where no other credential is wanted."""
        job = self._state.replicas.find(name.removesuffix(".mp4"), self._now)
        if job is None or request.query_params.get("signature") != signature(job):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        if "authorization" in request.headers:
            return Response("<Error><Code>InvalidArgument</Code></Error>", 400, media_type="application/xml")
        return await self._serve(request, job, self._profile.container)

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
        figure = bodies.Character(identity, name, int(self._now))
        self._state.characters[identity] = figure
        return JSONResponse(bodies.character(figure))

    async def retrieve_character(self, _: Request, character_id: str) -> Response:
        """A character."""
        return JSONResponse(bodies.character(self._character(character_id)))

    async def models(self, _: Request) -> Response:
        """The models' names."""
        return JSONResponse(bodies.models(self._state.models, self._now))

    async def _serve(self, request: Request, job: Job, kind: str) -> Response:
        profile = self._profile
        content = self._state.content or await self._rendered.file(job, kind)
        return serve(request.headers, content, ranges=profile.ranges, content_type=profile.content_type)

    def _kind(self, query: dict[str, str]) -> str:
        """What is rendered for the variant asked for."""
        profile, given = self._profile, query.get("variant", "")
        if given and profile.variant_refusal and given not in profile.named_variants:
            raise profile.variant_refusal.error(given)
        if not profile.variants:
            return profile.container
        variant = fields.choice(query, "variant", VARIANTS, "video")
        return profile.container if variant == "video" else variant

    def _seconds(self, given: Fields) -> int:
        return fields.length(given, self._profile.seconds_types, self._profile.bad_seconds)

    def _check_demands(self, given: Fields, request: Request) -> None:
        """What one server insists on and another does not."""
        profile = self._profile
        for name in profile.needs:
            fields.present(given, name)
        if profile.known_fields is not None and fields.encoding(request) == JSON:
            fields.only(given, profile.known_fields)
        if profile.busy and self._jobs.unfinished(self._now) >= profile.busy[0]:
            raise profile.busy[1].error()

    def _create_job(self, job_request: JobRequest, request: Request) -> Response:
        state, now, token, profile = self._state, self._now, self._state.video_tokens.next(), self._profile
        job = Job(
            id=profile.identity(token),
            model=job_request.model,
            prompt=job_request.fields["prompt"],
            size=job_request.size,
            seconds=job_request.seconds,
            created=now,
            work=work_seconds(token, state.job_seconds),
            remixed_from=job_request.remixed_from,
            reference=job_request.reference,
            plan=_job_plan(state.faults.match(request.state.info, JOB_EFFECTS)),
        )
        self._jobs.add(job)
        drawn = bodies.wrapped(bodies.video(job, now, profile), profile)
        known = fields.describe(job_request.fields)
        purchase = Purchase(operation=job_request.operation, video_id=drawn["id"], fields=known, at=now)
        state.record.purchases.append(purchase)
        return JSONResponse(drawn, profile.created)

    def _model(self, given: Fields) -> str:
        if given.get("model") is None:
            return self._state.models[0]
        return fields.text(given, "model", fields.LONGEST_PROMPT)

    def _job(self, video_id: str) -> Job:
        job = self._jobs.get(unwrap(video_id) if self._profile.wraps_ids else video_id, self._now)
        if job is None:
            raise not_found("Video", video_id, *self._profile.unknown_id)
        return job

    def _completed(self, video_id: str) -> Job:
        job = self._job(video_id)
        if job.status(self._now) is not Status.COMPLETED:
            raise ContractError(
                400, f"Video '{video_id}' is not completed.", param="video", code="invalid_value"
            )
        return job

    def _character(self, character_id: str) -> bodies.Character:
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


def _job_plan(effects: list[WireEffect | JobEffect]) -> JobPlan:
    plan = JobPlan()
    for effect in effects:
        if not isinstance(effect, WireEffect):
            plan = effect.apply_to(plan)
    return plan


def signature(job: Job) -> str:
    """What makes a file's address work without a key."""
    return blake2b(job.id.encode(), digest_size=12).hexdigest()


def signed_url(request: Request, job: Job) -> str:
    """A file's address, on another host than the API's as far as a client can tell."""
    host = "localhost" if request.url.hostname == "127.0.0.1" else request.url.hostname
    place = f"{FILES}{quote(job.id, safe='')}.mp4"
    return str(request.url.replace(hostname=host, path=place, query=f"signature={signature(job)}"))


def _limit(query: dict[str, str], listing: Listing) -> int:
    if "limit" not in query and listing.default_limit is None:
        return MANY
    given = query.get("limit", str(listing.default_limit))
    if not re.fullmatch(r"-?[0-9]{1,9}", given):
        message = f"Invalid type for 'limit': expected an integer, but got '{given}'."
        raise ContractError(listing.bad_limit, message, param="limit", code="invalid_type")
    least, most = listing.limits or (0, MANY)
    if not least <= int(given) <= most:
        message = f"Invalid 'limit': expected {least} to {most}, but got {given}."
        code = "integer_below_min_value" if int(given) < least else "integer_above_max_value"
        raise ContractError(listing.bad_limit, message, param="limit", code=code)
    return int(given)
