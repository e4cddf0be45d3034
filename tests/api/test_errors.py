from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.errors import AnswerError, NotReady, VideoFailed, VideosError


def tree(root: type[VideosError]) -> list[type[VideosError]]:
    return [root, *(error for child in root.__subclasses__() for error in tree(child))]


def example(kind: type[VideosError]) -> VideosError:
    if issubclass(kind, AnswerError):
        return kind("no", video_id="v1", status_code=418, code="teapot", request_id="req_1", retry_after=2.5)
    if issubclass(kind, VideoFailed):
        return kind("no", video_id="v1", code="moderation_blocked")
    if issubclass(kind, NotReady):
        return kind("no", video_id="v1", status_code=202, retry_after=2.5)
    return kind("no", video_id="v1")


@pytest.mark.parametrize("kind", tree(VideosError))
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy], ids=["pickle", "copy"]
)
def test_an_error_travels_with_all_its_fields(kind, again):
    error = example(kind)
    twin = again(error)
    assert type(twin) is kind
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
    assert None not in vars(error).values()


def test_the_tree_in_the_docstring_is_the_tree():
    for kind in tree(VideosError):
        assert kind.__name__ in errors.__doc__


def test_an_error_says_what_the_on_call_needs():
    text = str(example(errors.Busy))
    assert text == "no (video v1, HTTP 418, code teapot, request req_1, retry after seconds 2.5)"


def test_a_success_without_a_file_says_which_it_was():
    assert str(example(NotReady)) == "no (video v1, HTTP 202, retry after seconds 2.5)"
