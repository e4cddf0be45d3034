"""Reports of delivered files to Airflow: asset events, hook lineage and OpenLineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_videos.adapters.names import Asset, AssetAlias, get_hook_lineage_collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_videos.adapters.names import BaseHook, Context, OperatorLineage

MAX_ASSET_URI_LENGTH = 1500


def has_alias(outlets: Sequence[Any]) -> bool:
    """
    Tell if one of a task's outlets becomes an asset only when the task has run.

    :param outlets: the task's outlets.
    """
    return any(isinstance(outlet, AssetAlias) for outlet in outlets)


def emit_asset_events(context: Context, outlets: Sequence[Any], files: Sequence[dict[str, Any]]) -> None:
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


def report_hook_lineage(hook: BaseHook, files: Sequence[dict[str, Any]]) -> None:
    """
    Tell Airflow's hook lineage where the files are.

    :param hook: the hook they came through.
    :param files: their facts.
    """
    collector: Any = get_hook_lineage_collector
    for facts in files:
        collector().add_output_asset(context=hook, uri=facts["uri"], asset_extra=facts)


def operator_lineage(files: Iterable[tuple[str, str, int]]) -> OperatorLineage[Any, Any]:
    """
    Describe files to OpenLineage.

    :param files: of each its namespace, its name in it, and its size in bytes.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )

    from airflow_provider_videos.adapters.names import OperatorLineage

    def dataset(namespace: str, name: str, size_bytes: int) -> OutputDataset:
        statistics = OutputStatisticsOutputDatasetFacet(size=size_bytes, fileCount=1)
        return OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics})

    return OperatorLineage(outputs=[dataset(*file) for file in files])
