"""Clients of the stores that files come from and go to, with the settings of Airflow's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from airflow_provider_videos.adapters.names import ObjectStoragePath
from airflow_provider_videos.api.errors import InvalidRequest

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from mypy_boto3_s3 import S3Client


def s3_client(aws_conn_id: str) -> S3Client:
    """
    Return a client of S3, with the connection's credentials, endpoint and settings.

    :param aws_conn_id: the connection.
    """
    try:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    except ImportError:
        raise InvalidRequest(
            "aws_conn_id needs the Amazon provider: pip install 'airflow-provider-videos[amazon]'"
        ) from None
    client: S3Client = S3Hook(aws_conn_id).get_conn()
    return client


def filesystem(uri: str) -> tuple[AbstractFileSystem, str]:
    """
    Return a URI's filesystem, as Airflow's object storage knows it, and the path in it.

    :param uri: the address; a connection may stand before its host, as in ``gs://my_conn@bucket/key``.
    """
    scheme, _, rest = uri.partition("://")
    host, _, key = rest.partition("/")
    bucket = host.rpartition("@")[2]
    try:
        # A key is no URL: taken for one, it would lose what stands behind a # or ?.
        opened: AbstractFileSystem = ObjectStoragePath(f"{scheme}://{host}/").fs
        path = str(opened._strip_protocol(f"{scheme}://{bucket}/{key}"))
    except (ValueError, ImportError) as error:
        raise InvalidRequest(f"destination {uri} cannot be reached: {error}") from error
    if not path.strip("/").endswith(key.strip("/")):
        raise InvalidRequest(
            f"destination {uri}: this file system would write to {path}; choose a plainer name"
        )
    return opened, path


def open_file(parameter: str, path: str) -> tuple[str, BinaryIO]:
    """
    Open a file to read, and return its name and itself; close it.

    :param parameter: what the user calls it.
    :param path: a local path, or a URI that Airflow's object storage can open.
    :raises InvalidRequest: if it cannot be read.
    """
    location = ObjectStoragePath(path)
    try:
        file = location.open("rb")  # type: ignore[no-untyped-call] # Airflow's method has no types
    except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError, ImportError) as error:
        raise InvalidRequest(f"{parameter} {path!r} cannot be read: {error}") from error
    return location.name, cast("BinaryIO", file)
