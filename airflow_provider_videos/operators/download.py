"""Airflow's part of a download: storage clients, and telling Airflow what came of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.lineage import MAX_ASSET_URI_LENGTH, has_alias, operator_lineage
from airflow_provider_videos.adapters.storage import filesystem, s3_client
from airflow_provider_videos.api.containers import WEBM
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.s3 import new_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.adapters.names import OperatorLineage
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.delivery.deliver import Receipt
    from airflow_provider_videos.delivery.order import Order


def stores_of(aws_conn_id: str | None) -> Stores:
    """
    Return the doors to where files go, each opened when it is first used.

    :param aws_conn_id: the connection for S3; without one boto3 looks for credentials by itself.
    """
    s3 = partial(s3_client, aws_conn_id) if aws_conn_id else new_client
    return Stores(s3=cache(s3), filesystem=filesystem)


def facts_of(receipt: Receipt, video: Video | None) -> dict[str, Any]:
    """
    Return what consumers of an asset want to know of a file.

    :param receipt: what was delivered.
    :param video: what the server says of the video.
    """
    return {**asdict(receipt), "model": video and video.model, "seconds": video and video.seconds}


def check_assets(outlets: Sequence[Any], orders: Sequence[Order]) -> None:
    """
    Find an address that is too long for Airflow's assets before anything is downloaded.

    :param outlets: the task's outlets.
    :param orders: what it is to deliver.
    :raises InvalidRequest: if an alias could not become an asset.
    """
    if not has_alias(outlets):
        return
    for order in orders:
        length = len(order.target(WEBM).uri)
        if length > MAX_ASSET_URI_LENGTH:
            raise InvalidRequest(
                f"the destination's URI has {length} characters, percent-encoded, and an asset's at most "
                f"{MAX_ASSET_URI_LENGTH}: shorten it, or leave the AssetAlias out"
            )


def openlineage(files: Sequence[dict[str, Any]]) -> OperatorLineage[Any, Any]:
    """
    Describe files to OpenLineage.

    :param files: their facts.
    """
    return operator_lineage(
        (*Destination.from_uri(facts["uri"]).dataset_name, facts["size_bytes"]) for facts in files
    )
