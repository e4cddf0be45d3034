"""Former place of the pytest plugin, for environments that were installed before it moved."""

pytest_plugins = ["airflow_provider_videos.pytest_plugin"]
