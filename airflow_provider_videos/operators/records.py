"""Records of purchases and deliveries, where the operators keep them in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_videos.adapters.names import Context
    from airflow_provider_videos.submission.ledger import Ledger


def ledger_of(server: str, owner: Mapping[str, str | int]) -> Ledger:
    """
    Return the ledger of a server's purchases, which notes nothing where tasks can't list Variables.

    :param server: the server's base URL.
    :param owner: the task instance, by its ids.
    """
    from airflow_provider_videos.adapters.variables import Variables, can_be_listed
    from airflow_provider_videos.submission.ledger import Ledger, NoLedger

    return Ledger(Variables(), server, owner) if can_be_listed() else NoLedger(owner)


def mark_completed(context: Context) -> None:
    """
    Remember that a clear from here on asks for a new video, as it does where nothing is recorded.

    :param context: Airflow's context of the task that has succeeded.
    """
    from airflow_provider_videos.adapters.state import TaskStore, forget_ended
    from airflow_provider_videos.submission.durable import KEY, hand_on

    if not forget_ended(context, KEY):
        hand_on(TaskStore(context), context["ti"].max_tries)


def delivery_keys() -> tuple[str, ...]:
    """Return the names under which a delivery and its preflight are recorded."""
    from airflow_provider_videos.delivery import preflight, record

    return preflight.KEY, record.KEY
