"""What downloading needs of Airflow: the doors to where files go, and telling it what came of them."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow.sdk import Asset, AssetAlias

from airflow_provider_videos.api.containers import WEBM
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery.destinations import Destination, Stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseHook, Context
    from fsspec import AbstractFileSystem
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.delivery.deliver import Receipt
    from airflow_provider_videos.delivery.order import Order

_LONGEST_ASSET_URI = 1500


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
            events[outlet].extra = next((facts for facts in files if _is_at(facts["uri"], outlet)), files[0])


def _is_at(uri: str, asset: Asset) -> bool:
    """Compare addresses, also one that a user wrote without its percent signs."""
    return asset.uri in {uri, unquote(uri)}


def check_assets(outlets: Sequence[Any], orders: Sequence[Order]) -> None:
    """
    Find an address that is too long for Airflow's assets before anything is downloaded.

    :param outlets: the task's outlets.
    :param orders: what it is to deliver.
    :raises InvalidRequest: if an alias could not become an asset.
    """
    if not any(isinstance(outlet, AssetAlias) for outlet in outlets):
        return
    for order in orders:
        length = len(order.target(WEBM).uri)
        if length > _LONGEST_ASSET_URI:
            raise InvalidRequest(
                f"the destination's URI has {length} characters, percent-encoded, and an asset's at most "
                f"{_LONGEST_ASSET_URI}: shorten it, or leave the AssetAlias out"
            )


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
    place = Destination.from_uri(uri)
    if place.scheme == "file":
        return "file", place.path
    return f"{place.scheme}://{place.host}", place.path
