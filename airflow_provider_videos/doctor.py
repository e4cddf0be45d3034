"""What the server behind a connection offers, on the command line; nothing is bought."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    """Examine a connection's server and print what was found."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_videos.doctor",
        description="Say what the server behind a connection offers. Nothing is bought.",
    )
    parser.add_argument("conn_id", nargs="?", default="videos_default", help="the connection (%(default)s)")
    conn_id = parser.parse_args().conn_id
    # As `airflow connections` does: connections come from Airflow's database, too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    from airflow_provider_videos.api.errors import VideosError
    from airflow_provider_videos.hooks.videos import VideosHook

    try:
        base_url, findings = VideosHook(conn_id).examine()
    except VideosError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{conn_id}: {base_url}\n")
    for finding in findings:
        sys.stdout.write(f"{finding.name:<9} {finding.offer.value:<8} {finding.words}".rstrip() + "\n")


if __name__ == "__main__":
    main()
