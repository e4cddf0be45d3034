"""
Names of Airflow, each from the module that the installed release keeps it in.

A name is looked up when it is first asked for, so that parsing a DAG file loads no more than the file needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.release import release

if TYPE_CHECKING:
    from airflow.listeners.listener import get_listener_manager
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import (
        DAG,
        Asset,
        AssetAlias,
        BaseHook,
        BaseOperator,
        BaseSensorOperator,
        Connection,
        Context,
        ObjectStoragePath,
        Param,
        PokeReturnValue,
        RetryDecision,
        RetryPolicy,
        TaskInstanceState,
        TriggerRule,
        Variable,
        task,
        task_group,
    )
    from airflow.sdk.configuration import conf
    from airflow.sdk.definitions.mappedoperator import MappedOperator
    from airflow.sdk.definitions.xcom_arg import PlainXComArg
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralTimeout,
    )
    from airflow.sdk.log import mask_secret
    from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSuccessEvent, TriggerEvent

_MODULES = {
    "AirflowFailException": "airflow.sdk.exceptions",
    "AirflowNotFoundException": "airflow.sdk.exceptions",
    "AirflowSensorTimeout": "airflow.sdk.exceptions",
    "AirflowSkipException": "airflow.sdk.exceptions",
    "AirflowTaskTimeout": "airflow.sdk.exceptions",
    "Asset": "airflow.sdk",
    "AssetAlias": "airflow.sdk",
    "BaseHook": "airflow.sdk",
    "BaseOperator": "airflow.sdk",
    "BaseSensorOperator": "airflow.sdk",
    "BaseTrigger": "airflow.triggers.base",
    "Connection": "airflow.sdk",
    "Context": "airflow.sdk",
    "DAG": "airflow.sdk",
    "MappedOperator": "airflow.sdk.definitions.mappedoperator",
    "ObjectStoragePath": "airflow.sdk",
    "OperatorLineage": "airflow.providers.openlineage.extractors",
    "Param": "airflow.sdk",
    "PlainXComArg": "airflow.sdk.definitions.xcom_arg",
    "PokeReturnValue": "airflow.sdk",
    "RetryDecision": "airflow.sdk",
    "RetryPolicy": "airflow.sdk",
    "StartTriggerArgs": "airflow.triggers.base",
    "TaskDeferralTimeout": "airflow.sdk.exceptions",
    "TaskInstanceState": "airflow.sdk",
    "TaskSuccessEvent": "airflow.triggers.base",
    "TriggerEvent": "airflow.triggers.base",
    "TriggerRule": "airflow.sdk",
    "Variable": "airflow.sdk",
    "conf": "airflow.sdk.configuration",
    "get_hook_lineage_collector": "airflow.providers.common.compat.lineage.hook",
    "get_listener_manager": "airflow.listeners.listener",
    "mask_secret": "airflow.sdk.log",
    "task": "airflow.sdk",
    "task_group": "airflow.sdk",
}

_OWN = "airflow_provider_videos.adapters.stand_ins"
# Where a name was before a release. A line can go when that release is the oldest one that is supported.
_BEFORE: dict[str, dict[tuple[int, int], str]] = {
    "AirflowFailException": {(3, 2): "airflow.exceptions"},
    "AirflowNotFoundException": {(3, 2): "airflow.exceptions"},
    "AirflowSensorTimeout": {(3, 2): "airflow.exceptions"},
    "AirflowSkipException": {(3, 2): "airflow.exceptions"},
    "AirflowTaskTimeout": {(3, 2): "airflow.exceptions"},
    "Asset": {(3, 0): "airflow.datasets:Dataset"},
    "AssetAlias": {(3, 0): "airflow.datasets:DatasetAlias"},
    "BaseHook": {(3, 1): "airflow.hooks.base"},
    "BaseOperator": {(3, 0): "airflow.models.baseoperator"},
    "BaseSensorOperator": {(3, 0): "airflow.sensors.base"},
    "Connection": {(3, 0): "airflow.models.connection"},
    "Context": {(3, 0): "airflow.utils.context"},
    "DAG": {(3, 0): "airflow.models.dag"},
    "MappedOperator": {(3, 0): "airflow.models.mappedoperator"},
    "ObjectStoragePath": {(3, 0): "airflow.io.path"},
    "Param": {(3, 0): "airflow.models.param"},
    "PlainXComArg": {(3, 0): "airflow.models.xcom_arg"},
    "PokeReturnValue": {(3, 0): "airflow.sensors.base"},
    "RetryDecision": {(3, 3): _OWN},
    "RetryPolicy": {(3, 3): _OWN},
    "TaskDeferralTimeout": {(3, 0): _OWN, (3, 2): "airflow.exceptions"},
    "TaskInstanceState": {(3, 1): "airflow.utils.state"},
    "TriggerRule": {(3, 1): "airflow.utils.trigger_rule"},
    "Variable": {(3, 0): "airflow.models.variable"},
    "conf": {(3, 2): "airflow.configuration"},
    "mask_secret": {(3, 0): "airflow.utils.log.secrets_masker"},
    "task": {(3, 0): "airflow.decorators"},
    "task_group": {(3, 0): "airflow.decorators"},
}

__all__ = [
    "DAG",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "Asset",
    "AssetAlias",
    "BaseHook",
    "BaseOperator",
    "BaseSensorOperator",
    "BaseTrigger",
    "Connection",
    "Context",
    "MappedOperator",
    "ObjectStoragePath",
    "OperatorLineage",
    "Param",
    "PlainXComArg",
    "PokeReturnValue",
    "RetryDecision",
    "RetryPolicy",
    "StartTriggerArgs",
    "TaskDeferralTimeout",
    "TaskInstanceState",
    "TaskSuccessEvent",
    "TriggerEvent",
    "TriggerRule",
    "Variable",
    "conf",
    "get_hook_lineage_collector",
    "get_listener_manager",
    "mask_secret",
    "task",
    "task_group",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, other_name = _home(name, release()).partition(":")
        found = globals()[name] = getattr(import_module(module), other_name or name)
        return found


def _home(name: str, installed: tuple[int, int]) -> str:
    """Return where a release has a name: its module and, behind a colon, what it is called there."""
    before = (home for bound, home in sorted(_BEFORE.get(name, {}).items()) if installed < bound)
    return next(before, _MODULES[name])
