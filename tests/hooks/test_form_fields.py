"""The fields of the connection form, beside what the installed Airflow does with their names."""

from __future__ import annotations

from typing import Any

import airflow._shared.secrets_masker as of_the_server
import airflow.sdk._shared.secrets_masker as of_the_tasks
import pytest

from airflow_provider_videos.get_provider_info import get_provider_info

INFO: Any = get_provider_info()
FIELDS = INFO["connection-types"][0]["conn-fields"]


@pytest.mark.parametrize("masker", [of_the_server, of_the_tasks])
def test_airflow_masks_the_field_that_the_form_had(masker):
    assert masker.should_hide_value_for_key("auth_header")


@pytest.mark.parametrize("masker", [of_the_server, of_the_tasks])
@pytest.mark.parametrize("name", FIELDS)
def test_airflow_masks_no_field_of_the_form(name, masker):
    assert not masker.should_hide_value_for_key(name)
    assert masker.redact({name: FIELDS[name]}) == {name: FIELDS[name]}


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_is_prefilled(name):
    assert "default" not in FIELDS[name]["schema"]
    assert "null" in FIELDS[name]["schema"]["type"]
