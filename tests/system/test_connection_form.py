"""The connection form of Airflow's own UI, filled in and saved in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from airflow_provider_videos.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Page

    from airflow_provider_videos.emulator import Emulator
    from demo.standalone import Airflow

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PATIENCE = 60_000  # milliseconds

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]

INFO: Any = get_provider_info()
FIELDS = [*INFO["connection-types"][0]["conn-fields"]]
CHOSEN = {
    "model": "emulated-1",
    "request_format": "json",
    "seconds_type": "string",
    "key_header": "Authorization",
    "auth_scheme": "Bearer",
    "headers": {"x-api-key": "a-header-of-secrets", "x-tenant": "films"},
    "query": {"api-version": "2", "access_token": "a-query-of-secrets"},
    "timeout": "30",
    "verify": "false",
    "requests_per_minute": "600",
    "result_hosts": "127.0.0.1",
}
LISTS = {"request_format", "seconds_type"}

USE = """
import json, os, sys
os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
from airflow_provider_videos.hooks.videos import VideosHook
for line in sys.stdin:
    conn_id, path = json.loads(line)
    hook = VideosHook(conn_id)
    with hook.get_conn() as client, open(path, "w") as file:
        client.list_models()
        json.dump(hook.get_connection(conn_id).extra_dejson, file)
    print("used", conn_id, flush=True)
"""


class User:
    """
    A process of this Airflow that uses connections as its tasks do; it is started once for all tests.

    :param environment: the Airflow's.
    :param folder: a folder for its answers and its log.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.answer, self.log = folder / "extra.json", folder / "user.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", USE],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def use(self, conn_id: str) -> dict[str, Any]:
        """Talk to the connection's server with it, and return its extra as a task gets it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.answer.unlink(missing_ok=True)
        self._process.stdin.write(json.dumps([conn_id, str(self.answer)]) + "\n")
        self._process.stdin.flush()
        told = iter(self._process.stdout.readline, "")
        assert f"used {conn_id}" in map(str.strip, told), self.log.read_text()
        extra: dict[str, Any] = json.loads(self.answer.read_text())
        return extra

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@pytest.fixture(scope="module")
def user(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    user = User(airflow.environment, tmp_path_factory.mktemp("user"))
    yield user
    user.close()


class Form:
    """Airflow's form for connections, as a person uses it."""

    def __init__(self, page: Page, airflow: Airflow, emulator: Emulator, user: User) -> None:
        self.page, self.airflow, self.emulator, self.user = page, airflow, emulator, user

    def add(self, conn_id: str) -> None:
        self.page.goto(f"{self.airflow.base_url}/connections")
        self.page.get_by_role("button", name="Add Connection").click()
        self.page.locator('input[name="connection_id"]').fill(conn_id)
        self.page.get_by_role("combobox").fill("Videos API")
        self.page.get_by_role("option", name="Videos API", exact=True).click()
        self.page.locator('input[name="host"]').fill(self.emulator.base_url)
        self.page.locator('input[name="password"]').fill(self.emulator.api_key or "")

    def edit(self, conn_id: str) -> None:
        self.page.goto(f"{self.airflow.base_url}/connections")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.get_by_role("button", name="Edit Connection").click()
        expect(self.page.locator('input[name="host"]')).to_have_value(self.emulator.base_url)

    def open_extra(self) -> None:
        self.page.get_by_role("button", name="Extra Fields", exact=True).click()

    def fill(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            label = {"headers": "More headers", "query": "More query parameters"}[name]
            field = self.page.locator('[data-scope="field"][data-part="root"]').filter(has_text=label)
            editor = field.get_by_role("textbox", name="Editor content")
            editor.press("ControlOrMeta+a")
            editor.press("Delete")
            self.page.keyboard.insert_text(json.dumps(value))
            # The form takes an editor's text in when it is left.
            self.page.locator('input[name="element_timeout"]').focus()
        elif name in LISTS:
            box = self.page.locator(f'div:has(> input[name="element_{name}"])').get_by_role("combobox")
            box.fill(value)
            self.page.get_by_role("option", name=value, exact=True).click()
        else:
            self.page.locator(f'input[name="element_{name}"]').fill(value)

    def save(self) -> None:
        self.page.get_by_role("button", name="Save").click()
        self.page.get_by_role("dialog").wait_for(state="hidden")

    def stored(self, conn_id: str) -> dict[str, Any]:
        """What a task gets, once it has talked to the server with it; fields that say nothing left out."""
        return {name: value for name, value in self.user.use(conn_id).items() if value is not None}


@pytest.fixture
def form(airflow: Airflow, emulator: Emulator, user: User) -> Iterator[Form]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        page = browser.new_page(locale="en-US", viewport={"width": 1400, "height": 2000})
        page.set_default_timeout(PATIENCE)
        yield Form(page, airflow, emulator, user)
        browser.close()


def test_a_form_that_is_saved_untouched_works_and_works_again(form: Form) -> None:
    form.add("untouched")
    form.save()
    assert form.stored("untouched") == {}
    form.edit("untouched")
    form.save()
    assert form.stored("untouched") == {}


def test_every_field_is_stored_and_survives_an_edit(form: Form) -> None:
    assert [*CHOSEN] == FIELDS
    form.add("chosen")
    form.open_extra()
    for name, value in CHOSEN.items():
        form.fill(name, value)
    form.save()
    assert form.stored("chosen") == CHOSEN
    form.edit("chosen")
    form.save()
    assert form.stored("chosen") == CHOSEN
    form.edit("chosen")
    form.open_extra()
    form.fill("model", "emulated-1-pro")
    form.save()
    assert form.stored("chosen") == CHOSEN | {"model": "emulated-1-pro"}


def test_what_an_older_form_has_stored_works_and_survives(form: Form, airflow: Airflow) -> None:
    extra = {"auth_header": "***", "headers": '{"x-tenant": "films"}', "timeout": {"read": 9}}
    airflow.rest.call(
        "POST",
        "/connections",
        json={
            "connection_id": "older",
            "conn_type": "videos",
            "host": form.emulator.base_url,
            "password": form.emulator.api_key,
            "extra": json.dumps(extra),
        },
    )
    assert form.stored("older") == extra
    form.edit("older")
    form.open_extra()
    expect(form.page.get_by_text("More headers")).to_be_visible()
    form.save()
    assert form.stored("older") == extra
