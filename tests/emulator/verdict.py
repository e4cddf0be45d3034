"""
Verdict on a living server: does it work with this provider, and how does it deviate from the contract.

``VIDEOS_CONNECTION`` holds a connection as Airflow's URI or JSON; ``VIDEOS_BASE_URL``, ``VIDEOS_API_KEY`` and
``VIDEOS_MODEL`` go before it. One short video is bought.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.containers import VIDEOS, sniff
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.models import Phase
from tests.emulator.videos_contract import CHECKS, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Video

PROMPT = "A lighthouse at dusk"
POLL_SECONDS, POLLS = 5.0, 720


class DoesNotWork(Exception):  # noqa: N818 - a verdict
    """The server does not work with this provider."""


@dataclass
class Verdict:
    """
    Verdict on one server.

    :param problem: why it does not work with this provider, or None.
    :param delivered: the file that was downloaded.
    :param deviations: by the name of a check, what it found.
    :param left_out: checks that would buy more, or of operations that it does not have.
    """

    problem: str | None = None
    delivered: str = ""
    deviations: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the verdict for a person."""
        if self.problem:
            return [f"does not work with this provider: {self.problem}"]
        asked = len(CHECKS) - len(self.left_out)
        return [
            f"works with this provider: created, waited for, downloaded ({self.delivered})",
            f"deviates from the contract in {len(self.deviations)} of {asked} points asked:",
            *(f"  {name.replace('_', ' ')}: {words}" for name, words in self.deviations.items()),
            f"not asked, or not supported: {len(self.left_out)}",
        ]


def judge(
    endpoint: Endpoint, pass_time: Callable[[float], None] = lambda _: time.sleep(POLL_SECONDS)
) -> Verdict:
    """
    Buy one video and come to a verdict.

    :param endpoint: the server.
    :param pass_time: waits between two questions.
    """
    with VideosClient(endpoint) as client, connect(endpoint) as http:
        try:
            bought, video, delivered = run_through(client, pass_time)
        except (DoesNotWork, VideosError) as error:
            return Verdict(str(error))
        verdict = Verdict(delivered=delivered)
        hold_to_contract(subject_of(http, endpoint, bought, video.id), verdict, endpoint.secrets())
        return verdict


def connect(endpoint: Endpoint) -> httpx.Client:
    """Return a bare client that sends what the connection says."""
    return httpx.Client(
        base_url=endpoint.base_url,
        headers=endpoint.credentials(),
        params=dict(endpoint.query),
        timeout=120,
        verify=endpoint.verify,
    )


def run_through(
    client: VideosClient, pass_time: Callable[[float], None]
) -> tuple[httpx.Response, Video, str]:
    """Create, wait and download as a DAG does."""
    answers: list[httpx.Response] = []
    create = requests.create(client.endpoint, PROMPT, seconds="4")

    def read(answer: httpx.Response) -> Video:
        answers.append(answer)
        return create.read(answer)

    video = finished(client, client.perform(replace(create, read=read)), pass_time)
    return answers[-1], video, download(client, video.id)


def finished(client: VideosClient, video: Video, pass_time: Callable[[float], None]) -> Video:
    for _ in range(POLLS):
        if video.has_failed:
            raise DoesNotWork(f"the video failed, status {video.status}")
        if video.phase is Phase.SUCCEEDED:
            return video
        pass_time(1)
        video = client.retrieve(video.id)
    raise DoesNotWork("the video never came to an end")


def download(client: VideosClient, video_id: str) -> str:
    with client.download_content(video_id) as content:
        file = b"".join(content.chunks)
    container = sniff(file)
    if container not in VIDEOS:
        raise DoesNotWork(f"the file is {container.name if container else 'something else'}, not a video")
    return f"{container.name}, {len(file):,} bytes"


def subject_of(http: httpx.Client, endpoint: Endpoint, bought: httpx.Response, video_id: str) -> Subject:
    subject = Subject(
        http,
        pass_time=lambda _: None,
        model=endpoint.model,
        may_buy_more=False,
        emulated=False,
        key_header=endpoint.auth_header if endpoint.api_key else None,
    )
    subject.bought = bought
    answer = http.get(subject.place(video_id))
    subject.observed = [bought.json(), answer.json()]
    return subject


def hold_to_contract(subject: Subject, verdict: Verdict, secrets: set[str]) -> None:
    for check in CHECKS:
        try:
            check(subject)
        except pytest.skip.Exception:
            verdict.left_out.append(check.__name__)
        except Exception as error:  # noqa: BLE001 - whatever an answer does to a check is a deviation
            verdict.deviations[check.__name__] = described(error, secrets)


def described(error: Exception, secrets: set[str]) -> str:
    place = traceback.extract_tb(error.__traceback__)
    line = next((frame.line for frame in reversed(place) if "videos_contract" in frame.filename), "")
    words = (str(error).splitlines() or [""])[0][:160] or str(line)
    words = words if isinstance(error, AssertionError) else f"{type(error).__name__}: {words}"
    words = words if words.isprintable() else f"{words.partition(':')[0]}: bytes that are no text"
    for secret in secrets:
        words = words.replace(secret, "***")
    return words


def endpoint_from(environment: Mapping[str, str]) -> Endpoint:
    """Read the server's connection out of the environment."""
    from airflow.sdk import Connection

    from airflow_provider_videos.hooks.videos import endpoint_of

    given = environment.get("VIDEOS_CONNECTION") or json.dumps({"conn_type": "videos"})
    make = Connection.from_json if given.lstrip().startswith("{") else Connection.from_uri
    connection = make(given, conn_id="VIDEOS_CONNECTION")
    extra = dict(connection.extra_dejson)
    connection.host = environment.get("VIDEOS_BASE_URL") or connection.host
    connection.password = environment.get("VIDEOS_API_KEY") or connection.password
    extra["model"] = environment.get("VIDEOS_MODEL") or extra.get("model")
    if not connection.password:
        extra["key_header"] = "none"
    return endpoint_of(connection, extra)


def main() -> None:
    """Print the verdict; exit with 1 if the server does not work with this provider."""
    try:
        endpoint = endpoint_from(os.environ)
    except VideosError as error:
        sys.exit(str(error))
    verdict = judge(endpoint)
    sys.stdout.write("\n".join([endpoint.base_url, *verdict.lines(), ""]))
    sys.exit(1 if verdict.problem else 0)


if __name__ == "__main__":
    main()
