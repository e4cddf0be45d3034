"""Documentation of the operators, as help and Sphinx show it."""

from __future__ import annotations

import inspect
import re

import pytest

from airflow_provider_videos.operators import videos
from airflow_provider_videos.operators.documentation import with_parameters
from airflow_provider_videos.operators.videos import VideoCreateOperator

BUYING = ["VideoCreateOperator", "VideoRemixOperator", "VideoEditOperator", "VideoExtendOperator"]


def documented(operator):
    return re.findall(r"^:param (\w+): \S", inspect.getdoc(operator), flags=re.MULTILINE)


def accepted(operator):
    """Return the parameters of a class that are ours, its base classes' with them."""
    ours = [cls for cls in operator.__mro__ if cls.__module__ == videos.__name__]
    given = (inspect.signature(vars(cls)["__init__"]).parameters for cls in ours if "__init__" in vars(cls))
    return {name for parameters in given for name in parameters} - {"self", "kwargs"}


@pytest.mark.parametrize("name", [name for name in videos.__all__ if name.endswith("Operator")])
def test_each_parameter_is_documented_once(name):
    operator = getattr(videos, name)
    assert sorted(documented(operator)) == sorted(accepted(operator))


@pytest.mark.parametrize("name", BUYING)
def test_a_parameter_that_all_purchases_share_is_written_once(name):
    source = inspect.getsource(getattr(videos, name))
    assert ":param prompt:" in source
    assert not re.search(":param (durable|on_unknown|on_changed|retry_policy|videos_conn_id):", source)
    assert ":raises InDoubt:" in inspect.getdoc(getattr(videos, name))


class Plain(VideoCreateOperator):
    pass


class Described(VideoCreateOperator):
    """Buy a video for the shop."""


class Copied(VideoCreateOperator):
    __doc__ = VideoCreateOperator.__doc__


def test_a_class_of_a_user_keeps_its_own_words():
    assert Plain.__doc__ is None
    assert inspect.getdoc(Plain) == inspect.getdoc(VideoCreateOperator)
    assert inspect.getdoc(Described).startswith("Buy a video for the shop.\n\n:param videos_conn_id:")
    assert Copied.__doc__ == VideoCreateOperator.__doc__


def test_python_without_docstrings_has_nothing_to_share():
    assert with_parameters(None, VideoCreateOperator) is None
    assert with_parameters("Buy.", type("Base", (), {})) == "Buy."
