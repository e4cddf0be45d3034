"""Google Cloud Storage's emulator with what it lacks of the real one: preconditions, and ended uploads."""

from __future__ import annotations

import logging
import sys
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.settings import UPLOAD_API_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable


def cancel(request: Any, response: Any, storage: Any, **_: Any) -> None:
    """End a resumable upload, of which nothing is left."""
    storage.delete_resumable_file_obj(request.query["upload_id"][0])
    response.status = HTTPStatus.NO_CONTENT


def guarded(handler: Callable[..., None]) -> Callable[..., None]:
    """Refuse to replace an object where ``ifGenerationMatch=0`` says that there must be none."""

    @wraps(handler)
    def guarded_handler(request: Any, response: Any, storage: Any, *args: Any, **kwargs: Any) -> None:
        if request.query.get("ifGenerationMatch") == ["0"] and exists(request, storage):
            response.status = HTTPStatus.PRECONDITION_FAILED
            return
        handler(request, response, storage, *args, **kwargs)

    return guarded_handler


def exists(request: Any, storage: Any) -> bool:
    """Say whether the object that an upload would make is there."""
    name = request.query["name"][0] if "name" in request.query else request.data["meta"]["name"]
    try:
        storage.get_file_obj(request.params["bucket_name"], name)
    except NotFound:
        return False
    return True


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    for pattern, handlers in server.HANDLERS:
        if pattern.startswith(f"^{UPLOAD_API_ENDPOINT}/"):
            uploads = {method: guarded(handler) for method, handler in handlers.items()}
            handlers.update(uploads, DELETE=cancel)
    server.create_server("127.0.0.1", int(sys.argv[1]), in_memory=True, default_bucket="bucket").run()
