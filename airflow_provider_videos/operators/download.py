"""What downloading needs of Airflow: the doors to where files go, and telling it what came of them."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.sdk import Asset, AssetAlias

from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery.destinations import Stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseHook, Context
    from fsspec import AbstractFileSystem
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.delivery.deliver import Receipt


def stores_of(aws_conn_id: str | None) -> Stores:
    """
    Return the doors to where files go, each opened when it is first used.

    :param aws_conn_id: the connection for S3; without one boto3 looks for credentials by itself.
    """
    return Stores(s3=cache(partial(s3_client, aws_conn_id)), filesystem=filesystem)


def s3_client(aws_conn_id: str | None) -> S3Client:
    """
    Return a client of S3, with the connection's credentials, endpoint and settings.

    :param aws_conn_id: the connection; without one boto3 looks for credentials by itself.
    """
    if not aws_conn_id:
        import boto3

        return boto3.client("s3")
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
    from airflow.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(uri)
        opened: AbstractFileSystem = path.fs
    except (ValueError, ImportError) as error:
        raise InvalidRequest(f"destination {uri} cannot be reached: {error}") from error
    return opened, path.path


def facts_of(receipt: Receipt, video: Video | None) -> dict[str, Any]:
    """
    Return what consumers of an asset want to know of a file.

    :param receipt: what was delivered.
    :param video: what the server says of the video.
    """
    return {**asdict(receipt), "model": video and video.model, "seconds": video and video.seconds}


def tell_outlets(context: Context, outlets: Sequence[Any], files: Sequence[dict[str, Any]]) -> None:
    """
    Give each outlet its event: an asset that of the file at its URI, or else the first; an alias all.

    :param context: Airflow's context.
    :param outlets: the task's outlets.
    :param files: the facts of the files that were delivered.
    """
    events = context["outlet_events"]
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for facts in files:
                events[outlet].add(Asset(facts["uri"]), extra=facts)
        elif isinstance(outlet, Asset):
            events[outlet].extra = next((facts for facts in files if facts["uri"] == outlet.uri), files[0])


def tell_collector(hook: BaseHook, files: Sequence[dict[str, Any]]) -> None:
    """
    Tell Airflow's hook lineage where the files are.

    :param hook: the hook they came through.
    :param files: their facts.
    """
    from airflow.providers.common.compat.sdk import get_hook_lineage_collector

    for facts in files:
        get_hook_lineage_collector().add_output_asset(context=hook, uri=facts["uri"], asset_extra=facts)


def openlineage(files: Sequence[dict[str, Any]]) -> OperatorLineage[Any, Any]:
    """
    Describe files to OpenLineage.

    :param files: their facts.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    def dataset(facts: dict[str, Any]) -> OutputDataset:
        namespace, name = _dataset_name(facts["uri"])
        statistics = OutputStatisticsOutputDatasetFacet(size=facts["size_bytes"], fileCount=1)
        return OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics})

    return OperatorLineage(outputs=[dataset(facts) for facts in files])


def _dataset_name(uri: str) -> tuple[str, str]:
    """Return what OpenLineage's naming convention makes of an address."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return "file", unquote(parts.path)
    scheme, _, rest = uri.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path
