"""The hook: an Airflow connection becomes a client of the Videos API."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.connections import lookup_failure, read_connection
from airflow_provider_videos.adapters.forms import with_form
from airflow_provider_videos.adapters.names import AirflowNotFoundException, BaseHook, mask_secret
from airflow_provider_videos.api.capabilities import examine
from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient, prepare
from airflow_provider_videos.api.clock import default_clock
from airflow_provider_videos.api.endpoint import Timeouts
from airflow_provider_videos.api.errors import (
    InvalidRequest,
    NotConnected,
    NotFound,
    TransportError,
    Unreadable,
    VideosError,
)
from airflow_provider_videos.api.requests import as_text
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.get_provider_info import get_provider_info
from airflow_provider_videos.hooks.connection import endpoint_of, prefix_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_videos.adapters.names import Connection
    from airflow_provider_videos.api.capabilities import Finding
    from airflow_provider_videos.api.client import Content
    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Character, Video, VideoDeleted
    from airflow_provider_videos.api.uploads import Upload

__all__ = ["VideosHook", "endpoint_of"]

_READ_PAUSES = (1.0, 4.0)
_TEST_PATIENCE = Backoff(attempts=1)
_TEST_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=15.0)


@with_form(get_provider_info)
class VideosHook(BaseHook):
    """
    Talk to any server that speaks the Videos API.

    :param videos_conn_id: the connection that names the server and holds its key.
    """

    conn_name_attr = "videos_conn_id"
    default_conn_name = "videos_default"
    conn_type = "videos"
    hook_name = "Videos API"

    def __init__(self, videos_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.videos_conn_id = as_text("videos_conn_id", videos_conn_id)

    def get_conn(self) -> VideosClient:
        """
        Return a client that blocks; close it, or use it in a ``with`` block.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        :raises NotConnected: if Airflow could not say what the connection is.
        """
        endpoint = self._endpoint
        with prefix_errors(self.videos_conn_id):
            return VideosClient(endpoint)

    async def get_async_conn(self) -> AsyncVideosClient:
        """
        Return a client for an event loop; close it, or use it in an ``async with`` block.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        """
        endpoint = await self.get_async_endpoint()
        with prefix_errors(self.videos_conn_id):
            await prepare(endpoint)
        return AsyncVideosClient(endpoint)

    async def get_async_endpoint(self) -> Endpoint:
        """
        Return what the connection says of the server, read anew.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        :raises NotConnected: if Airflow could not say what the connection is.
        """
        from asgiref.sync import sync_to_async

        try:
            connection, extra = await read_connection(self.videos_conn_id)
        except Exception as error:
            raise await sync_to_async(self._read_error)(error) from error
        endpoint = endpoint_of(connection, extra)
        await sync_to_async(_mask)(endpoint)
        return endpoint

    def test_connection(self) -> tuple[bool, str]:
        """Ask the server for its models and what else it offers; that buys nothing. Say how it went."""
        try:
            with self._impatient() as client:
                client.list_models()
                findings = list(examine(client))
        except NotFound as error:
            return False, f"The server answered 404: does the base URL end in /v1? Asked {error.server}"
        except TransportError as error:
            return False, f"{error}. Is the base URL right, and is the server up?"
        except Unreadable:
            return False, "The server answers, but not as a Videos server does: is it a login page?"
        except VideosError as error:
            return False, str(error)
        offers = ", ".join(f"{finding.name} {finding.offer.value}" for finding in findings[1:])
        return True, f"The server answers. Models: {findings[0].words}. It offers: {offers}"

    def examine(self) -> tuple[str, list[Finding]]:
        """
        Find out what the server offers, and return its address and the findings; nothing is bought.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        """
        with self._impatient() as client:
            return client.endpoint.base_url, list(examine(client))

    @contextmanager
    def _impatient(self) -> Iterator[VideosClient]:
        endpoint = replace(self._endpoint, timeout=_TEST_TIMEOUTS)
        with prefix_errors(self.videos_conn_id), VideosClient(endpoint, backoff=_TEST_PATIENCE) as client:
            yield client

    def create(self, prompt: str, **fields: Any) -> Video:
        """Buy a video: see :meth:`.VideosClient.create`."""
        return self._client.create(prompt, **fields)

    def remix(self, video_id: str, prompt: str, **fields: Any) -> Video:
        """Buy a variation of a video: see :meth:`.VideosClient.remix`."""
        return self._client.remix(video_id, prompt, **fields)

    def edit(self, video: str | Upload, prompt: str, **fields: Any) -> Video:
        """Buy a changed version of a video: see :meth:`.VideosClient.edit`."""
        return self._client.edit(video, prompt, **fields)

    def extend(self, video: str | Upload, prompt: str, **fields: Any) -> Video:
        """Buy a longer version of a video: see :meth:`.VideosClient.extend`."""
        return self._client.extend(video, prompt, **fields)

    def create_character(self, name: str, video: Upload) -> Character:
        """Make a character that videos can share: see :meth:`.VideosClient.create_character`."""
        return self._client.create_character(name, video)

    def get_character(self, character_id: str) -> Character:
        """Ask for a character: see :meth:`.VideosClient.get_character`."""
        return self._client.get_character(character_id)

    def retrieve(self, video_id: str) -> Video:
        """Ask for a video's state: see :meth:`.VideosClient.retrieve`."""
        return self._client.retrieve(video_id)

    def list(self, **query: Any) -> Iterator[Video]:
        """Go through the server's videos: see :meth:`.VideosClient.list`."""
        return self._client.list(**query)

    def delete(self, video_id: str) -> VideoDeleted:
        """Delete a video: see :meth:`.VideosClient.delete`."""
        return self._client.delete(video_id)

    def download_content(
        self, video_id: str, **fields: Any
    ) -> AbstractContextManager[Content[Iterator[bytes]]]:
        """Open a video's file as a stream: see :meth:`.VideosClient.download_content`."""
        return self._client.download_content(video_id, **fields)

    @cached_property
    def _client(self) -> VideosClient:
        return self.get_conn()

    @cached_property
    def _endpoint(self) -> Endpoint:
        connection = self._read_connection()
        endpoint = endpoint_of(connection, connection.extra_dejson)
        _mask(endpoint)
        return endpoint

    def _read_connection(self) -> Connection:
        for pause in (*_READ_PAUSES, None):
            try:
                return self.get_connection(self.videos_conn_id)
            except Exception as error:
                problem = self._read_error(error)
                if pause is None or not isinstance(problem, NotConnected):
                    raise problem from error
            default_clock().sleep(pause)
        raise AssertionError("unreachable: the last pause is None")

    def _read_error(self, error: Exception) -> VideosError:
        """Tell a connection that is missing from an Airflow that cannot say."""
        variable = f"AIRFLOW_CONN_{self.videos_conn_id.upper()}"
        if not isinstance(error, AirflowNotFoundException):
            failure: str | None = type(error).__name__
        elif variable in os.environ:
            return InvalidRequest(f"{variable} is neither a connection's JSON nor its URI")
        else:
            failure = lookup_failure(self.videos_conn_id)
        if failure is None:
            return InvalidRequest(
                f"there is no connection {self.videos_conn_id!r}: add one of type {self.conn_type!r} in the "
                f"UI, or set {variable}"
            )
        return NotConnected(
            f"connection {self.videos_conn_id!r} could not be read, which says nothing of whether there is "
            f"one ({failure}); a retry reads it again"
        )


def _mask(endpoint: Endpoint) -> None:
    # Airflow itself masks the password, and those parts of the extra that have a name it knows.
    for secret in endpoint.secrets():
        mask_secret(secret)
