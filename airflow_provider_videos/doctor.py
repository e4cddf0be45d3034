"""Look at what the server behind a connection offers, on the command line; nothing is bought."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_videos.api.capabilities import Finding

_WELL, _SERVER_FAILS, _CONNECTION_IS_WRONG = range(3)


def main() -> None:
    """Examine a connection's server, print what was found, and exit with what it comes to."""
    given = _arguments()
    from airflow_provider_videos.api.capabilities import is_well
    from airflow_provider_videos.api.errors import VideosError

    try:
        # Airflow logs to stdout, where a script expects nothing but the findings.
        with redirect_stdout(sys.stderr):
            from airflow_provider_videos.adapters.connections import use_server_sources
            from airflow_provider_videos.hooks.videos import VideosHook

            use_server_sources()
            base_url, findings = VideosHook(given.conn_id).examine()
    except VideosError as error:
        _print_error(given, str(error))
        sys.exit(_CONNECTION_IS_WRONG)
    show = _print_json if given.json else _print_lines
    show(given.conn_id, base_url, findings)
    sys.exit(_WELL if is_well(findings) else _SERVER_FAILS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_videos.doctor",
        description="Say what the server behind a connection offers. Nothing is bought.",
        epilog="Exits with 0 if all is well, 1 if the server refuses or is not there, 2 if the connection "
        "is wrong.",
    )
    parser.add_argument("conn_id", nargs="?", default="videos_default", help="the connection (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    return parser.parse_args()


def _print_error(given: argparse.Namespace, error: str) -> None:
    sys.stderr.write(f"{error}\n")
    if given.json:
        sys.stdout.write(json.dumps({"conn_id": given.conn_id, "error": error}) + "\n")


def _print_lines(conn_id: str, base_url: str, findings: list[Finding]) -> None:
    sys.stdout.write(f"{conn_id}: {base_url}\n")
    for finding in findings:
        words = "; ".join(filter(None, (finding.words, finding.hint)))
        sys.stdout.write(f"{finding.name:<9} {finding.offer.value:<8} {words}".rstrip() + "\n")


def _print_json(conn_id: str, base_url: str, findings: list[Finding]) -> None:
    found = {
        finding.name: {"offer": finding.offer.value, "words": finding.words, "hint": finding.hint}
        for finding in findings
    }
    sys.stdout.write(json.dumps({"conn_id": conn_id, "base_url": base_url, "findings": found}) + "\n")


if __name__ == "__main__":
    main()
