"""Operations on jobs that there are, on characters and files, and the list of models."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_provider_videos.emulator import bodies, fields
from airflow_provider_videos.emulator.content import serve
from airflow_provider_videos.emulator.contract import FILES
from airflow_provider_videos.emulator.endpoints import Endpoints, measure
from airflow_provider_videos.emulator.errors import ContractError
from airflow_provider_videos.emulator.jobs import Status
from airflow_provider_videos.emulator.profiles import unwrap
from airflow_provider_videos.emulator.render_cache import VARIANTS

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_videos.emulator.jobs import Job, Jobs
    from airflow_provider_videos.emulator.profiles import Listing
    from airflow_provider_videos.emulator.render_cache import RenderCache
    from airflow_provider_videos.emulator.state import State

MANY = 10**9


class Operations(Endpoints):
    """
    One method an operation: a request in, a response out.

    :param state: the server they belong to.
    :param jobs: the jobs it knows, one replica's where there are several.
    :param rendered: its rendered files.
    """

    def __init__(self, state: State, jobs: Jobs, rendered: RenderCache) -> None:
        super().__init__(state, jobs)
        self._rendered = rendered

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
        if listing.needs and listing.needs[0] not in query:
            raise ContractError(400, listing.needs[1])
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
        await measure(upload)
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
