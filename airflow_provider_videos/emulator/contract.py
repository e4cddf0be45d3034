"""Operations of the contract: where each is asked for, and what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass

FILES = "/_files/"


@dataclass(frozen=True, slots=True)
class ContractOperation:
    """
    Place of an operation.

    :param method: the HTTP method.
    :param path: its path, with names in braces for what varies.
    :param buys: whether it makes a job that costs money.
    :param recent: whether it came to the contract late, so that few servers have it.
    """

    method: str
    path: str
    buys: bool = False
    recent: bool = False


OPERATIONS = {
    "retrieve": ContractOperation("GET", "/v1/videos/{video_id}"),
    "content": ContractOperation("GET", "/v1/videos/{video_id}/content"),
    "list": ContractOperation("GET", "/v1/videos"),
    "create": ContractOperation("POST", "/v1/videos", buys=True),
    "delete": ContractOperation("DELETE", "/v1/videos/{video_id}"),
    "remix": ContractOperation("POST", "/v1/videos/{video_id}/remix", buys=True),
    "edit": ContractOperation("POST", "/v1/videos/edits", buys=True, recent=True),
    "extend": ContractOperation("POST", "/v1/videos/extensions", buys=True, recent=True),
    "create_character": ContractOperation("POST", "/v1/videos/characters", recent=True),
    "retrieve_character": ContractOperation("GET", "/v1/videos/characters/{character_id}", recent=True),
    "models": ContractOperation("GET", "/v1/models"),
    "file": ContractOperation("GET", f"{FILES}{{name}}"),
}
BUYING = frozenset(name for name, operation in OPERATIONS.items() if operation.buys)
RECENT = frozenset(name for name, operation in OPERATIONS.items() if operation.recent)
