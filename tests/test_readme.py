from __future__ import annotations

import re

from airflow_provider_videos.get_provider_info import get_provider_info
from docs.include import README, rendered


def test_the_readme_shows_the_dags_that_the_tests_run():
    text = README.read_text()
    assert "<!-- include dags/example_video_to_storage.py -->" in text
    assert rendered(text) == text, "run: python -m docs.include"


def test_the_readme_names_every_connection_field():
    (connection,) = get_provider_info()["connection-types"]
    rows = re.findall(r"^\| `(\w+)` \| extra \|", README.read_text(), re.MULTILINE)
    assert rows == list(connection["conn-fields"])


def test_the_python_in_the_readme_compiles():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
