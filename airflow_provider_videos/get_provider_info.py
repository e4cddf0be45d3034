"""Metadata of this package for Airflow. Every Airflow process loads this module, so it imports nothing."""

from __future__ import annotations


def get_provider_info() -> dict[str, object]:
    """Return the provider's discovery information."""
    return {
        "package-name": "airflow-provider-videos",
        "name": "Videos API",
        "description": "Video generation on any server that speaks the Videos API.",
        "integrations": [{"integration-name": "Videos API", "external-doc-url": "", "tags": ["service"]}],
        "hooks": [
            {"integration-name": "Videos API", "python-modules": ["airflow_provider_videos.hooks.videos"]}
        ],
        "operators": [
            {"integration-name": "Videos API", "python-modules": ["airflow_provider_videos.operators.videos"]}
        ],
        "sensors": [
            {"integration-name": "Videos API", "python-modules": ["airflow_provider_videos.sensors.videos"]}
        ],
        "triggers": [
            {"integration-name": "Videos API", "python-modules": ["airflow_provider_videos.triggers.videos"]}
        ],
        "connection-types": [
            {
                "connection-type": "videos",
                "hook-class-name": "airflow_provider_videos.hooks.videos.VideosHook",
                "hook-name": "Videos API",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port"],
                    "relabeling": {"host": "Base URL", "password": "API key"},
                    "placeholders": {
                        "host": "http://gpu-box:8000/v1",
                        "password": "the key the server expects",
                    },
                },
                "conn-fields": {
                    "model": _field("Default model", "The model for tasks that name none."),
                    "request_format": _field(
                        "Request format",
                        "How create is sent: multipart if empty, which most servers take; some gateways take "
                        "JSON only.",
                        enum=["multipart", "json"],
                    ),
                    "seconds_type": _field(
                        "Type of seconds in JSON",
                        "The type in which the server wants the length: a string if empty.",
                        enum=["string", "integer"],
                    ),
                    # Airflow masks any field named auth_header, also while the form is being filled.
                    "key_header": _field(
                        "Header for the key",
                        "Authorization if empty; another such as api-key, or none for a server without keys.",
                    ),
                    "auth_scheme": _field(
                        "Word before the key",
                        "Bearer if empty; another word, or none for the key alone, as api-key wants it.",
                    ),
                    "headers": _object("More headers", 'Sent with each request: {"name": "value"}'),
                    "query": _object("More query parameters", 'Sent with each request: {"name": "value"}'),
                    "timeout": _field(
                        "Timeout",
                        'Seconds, or JSON: {"connect": 10, "read": 60, "total": 120}. Total is for one call '
                        "with its retries; a download may take longer.",
                    ),
                    "verify": _field(
                        "Check certificates", "true if empty; or false, or the path of a CA bundle."
                    ),
                    "requests_per_minute": _field(
                        "Requests per minute",
                        "How many requests all waits of a triggerer may make together; any number if empty.",
                    ),
                    "result_hosts": _field(
                        "Hosts of results",
                        "Where redirects and addresses of files may lead: cdn.example.com, minio:9000, "
                        "*.example.com, 10.0.0.0/8. Any public host if empty; private ones only if named.",
                    ),
                },
            }
        ],
    }


def _field(label: str, description: str, **schema: object) -> dict[str, object]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _object(label: str, description: str) -> dict[str, object]:
    # As text Airflow would show the secrets in it, and could not put back what it masks.
    return _field(label, description, type=["object", "null"])
