"""State and ledger in the database of 2.11, which its tasks may use."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_videos.adapters import database
from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.adapters.state import TaskStore, forget_ended
from airflow_provider_videos.adapters.variables import Variables

pytestmark = pytest.mark.skipif(not is_before(3, 0), reason="from 3.0 on tasks must not ask the database")
NAMES = {"dag_id": "films", "run_id": "monday", "task_id": "create", "map_index": -1}
CONTEXT = {"ti": SimpleNamespace(**NAMES)}


@pytest.fixture(autouse=True)
def _no_variables(_database):
    for key in database.variable_keys(""):
        database.delete_variable(key)


def test_a_value_is_found_again_by_a_retry():
    TaskStore(CONTEXT).set("videos_submission", {"video_id": "v1"})
    TaskStore(CONTEXT).set("videos_submission", {"video_id": "v2"})
    assert TaskStore(CONTEXT).get("videos_submission") == {"video_id": "v2"}
    TaskStore(CONTEXT).delete("videos_submission")
    assert TaskStore(CONTEXT).get("videos_submission") is None


def test_a_value_that_cannot_be_decrypted_is_not_taken_for_none(monkeypatch):
    from cryptography.fernet import Fernet

    def another_key():
        fernet = Fernet(Fernet.generate_key())
        fernet.is_encrypted = True
        return fernet

    monkeypatch.setattr("airflow.models.variable.get_fernet", another_key)
    TaskStore(CONTEXT).set("videos_submission", {"video_id": "v1"})
    with pytest.raises(RuntimeError, match="cannot be decrypted"):
        TaskStore(CONTEXT).get("videos_submission")


def test_keys_are_listed_by_the_letter():
    for key in ("videos_ledger.a", "videos_ledger.b", "videosXledger.c"):
        Variables().set(key, "x")
    assert list(Variables().keys("videos_ledger.")) == ["videos_ledger.a", "videos_ledger.b"]


def test_what_follows_a_commit_is_called_until_it_is_done():
    from airflow.utils.session import create_session

    TaskStore(CONTEXT).set("videos_submission", "v1")
    answers = [False, True]
    database.call_after_commit(lambda: forget_ended(CONTEXT, "videos_submission") and answers.pop(0))
    for _ in range(4):
        with create_session():
            pass
    assert answers == []
    assert database.variable_keys("videos_submission") == []
