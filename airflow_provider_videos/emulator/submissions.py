"""Submissions: the four operations that make a job."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from airflow_provider_videos.emulator import bodies, fields
from airflow_provider_videos.emulator.endpoints import Endpoints, measure
from airflow_provider_videos.emulator.errors import ContractError
from airflow_provider_videos.emulator.faults import JOB_EFFECTS, JobEffect, WireEffect
from airflow_provider_videos.emulator.jobs import Job, JobPlan, Status, work_seconds
from airflow_provider_videos.emulator.profiles import JSON
from airflow_provider_videos.emulator.record import Purchase
from airflow_provider_videos.emulator.render_cache import image_size

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_videos.emulator.fields import Fields

DEFAULT_SIZE = "720x1280"


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
    """Video that a new one is made from, as far as that matters to it."""

    model: str
    size: str
    seconds: int


class Submissions(Endpoints):
    """One method an operation: a request in, a response out."""

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

    def _check_demands(self, given: Fields, request: Request) -> None:
        """What one server insists on and another does not."""
        profile = self._profile
        for name in profile.needs:
            fields.present(given, name)
        if profile.known_fields is not None and fields.encoding(request) == JSON:
            fields.only(given, profile.known_fields)
        if profile.busy and self._jobs.unfinished(self._now) >= profile.busy[0]:
            raise profile.busy[1].error()

    def _seconds(self, given: Fields) -> int:
        return fields.length(given, self._profile.seconds_types, self._profile.bad_seconds)

    def _model(self, given: Fields) -> str:
        if given.get("model") is None:
            return self._state.models[0]
        return fields.text(given, "model", fields.LONGEST_PROMPT)

    def _completed(self, video_id: str) -> Job:
        job = self._job(video_id)
        if job.status(self._now) is not Status.COMPLETED:
            raise ContractError(
                400, f"Video '{video_id}' is not completed.", param="video", code="invalid_value"
            )
        return job

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
        size, seconds = await measure(video)
        return Source(self._model(given), size, seconds)


def _job_plan(effects: list[WireEffect | JobEffect]) -> JobPlan:
    plan = JobPlan()
    for effect in effects:
        if not isinstance(effect, WireEffect):
            plan = effect.apply_to(plan)
    return plan
