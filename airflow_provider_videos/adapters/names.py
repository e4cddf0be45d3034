"""
Names of Airflow, each from the module that the installed release keeps it in.

A name is looked up when it is first asked for, so that parsing a DAG file loads no more than the file needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.listeners.listener import get_listener_manager
    from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
    from airflow.providers.common.compat.sdk import get_hook_lineage_collector
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import (
        Asset,
        AssetAlias,
        BaseHook,
        BaseOperator,
        BaseSensorOperator,
        Connection,
        Context,
        ObjectStoragePath,
        PokeReturnValue,
        RetryDecision,
        RetryPolicy,
        TaskInstanceState,
        Variable,
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
    "MappedOperator": "airflow.sdk.definitions.mappedoperator",
    "ObjectStoragePath": "airflow.sdk",
    "OperatorLineage": "airflow.providers.openlineage.extractors",
    "PlainXComArg": "airflow.sdk.definitions.xcom_arg",
    "PokeReturnValue": "airflow.sdk",
    "RetryDecision": "airflow.sdk",
    "RetryPolicy": "airflow.sdk",
    "StartTriggerArgs": "airflow.triggers.base",
    "TaskDeferralTimeout": "airflow.sdk.exceptions",
    "TaskInstanceState": "airflow.sdk",
    "TaskSuccessEvent": "airflow.triggers.base",
    "TriggerEvent": "airflow.triggers.base",
    "Variable": "airflow.sdk",
    "conf": "airflow.sdk.configuration",
    "get_async_connection": "airflow.providers.common.compat.connection",
    "get_async_extra_dejson": "airflow.providers.common.compat.connection",
    "get_hook_lineage_collector": "airflow.providers.common.compat.sdk",
    "get_listener_manager": "airflow.listeners.listener",
    "mask_secret": "airflow.sdk.log",
}

__all__ = [
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
    "PlainXComArg",
    "PokeReturnValue",
    "RetryDecision",
    "RetryPolicy",
    "StartTriggerArgs",
    "TaskDeferralTimeout",
    "TaskInstanceState",
    "TaskSuccessEvent",
    "TriggerEvent",
    "Variable",
    "conf",
    "get_async_connection",
    "get_async_extra_dejson",
    "get_hook_lineage_collector",
    "get_listener_manager",
    "mask_secret",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return found
