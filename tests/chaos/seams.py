"""
Inside a task's process: where the campaign can stop it.

The real code runs; at a moment that the run's configuration names, the process leaves a note with its id and,
if it is told to, stays there until it is let go, killed or terminated.
"""

from __future__ import annotations

import functools
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

HELD_SECONDS = 180.0
"""Longer than any strike; a campaign that dies leaves no task behind for ever."""


def before(context: Context) -> None:
    """Instrument this process, right before the operator's own code runs."""
    orders = _orders(context)
    reach = functools.partial(_reach, context, orders)
    if orders.get("previous_release"):
        _defer_as_the_previous_release()
    if orders.get("stale"):
        _connect_beforehand()
    _around_the_requests(reach)
    _around_the_record(reach)
    if _fails(context):
        _fail_behind_execute(context, _orders(context)["fails"])
    ti: Any = context["ti"]
    if ti.task_id == "wait" and getattr(ti._ti_context_from_server, "next_method", None):
        reach("wait.resumed")


def after(context: Context, _: Any) -> None:
    """The operator's own code is done; what it returned is not yet pushed."""
    if _fails(context) and _orders(context)["fails"] == "post_execute":
        raise RuntimeError("post_execute fails")
    _reach(context, _orders(context), f"{context['ti'].task_id}.done")


def _orders(context: Context) -> dict[str, Any]:
    conf: dict[str, Any] = context["dag_run"].conf or {}
    return conf.get("orders") or {}


def note(folder: Path, moment: str, map_index: int) -> Path:
    """The file that says a process is at a moment."""
    return folder / f"{moment}.{map_index}"


def _reach(context: Context, orders: dict[str, Any], moment: str) -> None:
    ti: Any = context["ti"]
    if moment != orders.get("moment") or ti.map_index > 0:
        return
    here = note(Path(orders["folder"]), moment, ti.map_index)
    if here.exists():
        return
    new = here.with_name(f"{here.name}.new")
    new.write_text(json.dumps({"task": os.getpid(), "supervisor": os.getppid()}))
    new.rename(here)
    until = time.monotonic() + HELD_SECONDS
    while orders.get("hold") and not here.with_name(f"{here.name}.go").exists() and time.monotonic() < until:
        time.sleep(0.02)


MENDED = "mended"
"""The name of the file that ends what fails behind a create's own code."""


def _fails(context: Context) -> bool:
    orders, ti = _orders(context), context["ti"]
    return (
        bool(orders.get("fails")) and ti.task_id == "create" and not Path(orders["folder"], MENDED).exists()
    )


def _fail_behind_execute(context: Context, how: str) -> None:
    if how == "listener":
        _listen(context)
    keys = {"xcom": "return_value", "xcom of the video": "video"}
    if how not in keys:
        return
    from airflow.sdk.execution_time.xcom import XCom

    push = XCom.set

    def failing(*args: Any, **kwargs: Any) -> None:
        if kwargs.get("key") == keys[how]:
            raise RuntimeError("the XCom backend fails")
        push(*args, **kwargs)

    XCom.set = failing


def _listen(context: Context) -> None:
    """Register a listener that takes the process down with it."""
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    class Listener:
        @hookimpl
        def on_task_instance_success(self) -> None:
            raise SystemExit("a listener fails")

    get_listener_manager().add_listener(Listener())


def _around_the_requests(reach: Callable[[str], None]) -> None:
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.retry import Call

    perform = VideosClient.perform

    def reaching(client: VideosClient, operation: Any, **options: Any) -> Any:
        buys = operation.call is Call.BUY
        if buys:
            reach("create.sending")
        answer = perform(client, operation, **options)
        if buys:
            reach("create.answered")
        elif operation.streams:
            reach("download.streaming")
        return answer

    VideosClient.perform = reaching  # type: ignore[method-assign, assignment]


def _around_the_record(reach: Callable[[str], None]) -> None:
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor

    write = TaskStateStoreAccessor.set

    def reaching(store: TaskStateStoreAccessor, key: str, value: Any, **options: Any) -> None:
        knows = isinstance(value, dict) and value.get("video_id") is not None
        if knows:
            reach("create.named")
        write(store, key, value, **options)
        if knows:
            reach("create.recorded")

    TaskStateStoreAccessor.set = reaching  # type: ignore[method-assign, assignment]


def _connect_beforehand() -> None:
    """Leave an idle connection in each client's pool, for the server to drop."""
    from airflow_provider_videos.hooks.videos import VideosHook

    connect = VideosHook.get_conn

    def connected(hook: VideosHook) -> Any:
        client = connect(hook)
        client.list_models()
        return client

    VideosHook.get_conn = connected  # type: ignore[method-assign, assignment]


def _defer_as_the_previous_release() -> None:
    """Store what release 0.1.0 stored of a trigger. Frozen: it is never brought up to date."""
    from airflow_provider_videos.triggers.videos import VideoTrigger

    def as_before(trigger: VideoTrigger) -> tuple[str, dict[str, Any]]:
        kwargs = {
            "video_id": trigger.video_id,
            "videos_conn_id": trigger.videos_conn_id,
            "poke_interval": 1,
            "started_at": time.time(),
            "deadline": time.time() + 300,
            "exponential_backoff": False,
            "max_wait": None,
            "silent_fail": False,
            "shown": "queued, 0 %",
        }
        return "airflow_provider_videos.triggers.videos.VideoTrigger", kwargs

    VideoTrigger.serialize = as_before  # type: ignore[method-assign, assignment]
