"""SHA-256 of a file in a thread beside its transfer."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

_BATCH_BYTES = 1024 * 1024


class BackgroundHash:
    """
    A SHA-256 that is computed while the next bytes come in: hashlib releases the interpreter's lock.

    Up to two batches of a mebibyte wait to be hashed; a file that is shorter starts no thread.
    """

    name = "sha256"

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._thread = ThreadPoolExecutor(1, "sha256")
        self._running: Future[None] | None = None

    def update(self, chunk: bytes) -> None:
        """
        Hash the next bytes.

        :param chunk: the bytes; they must not change afterwards.
        """
        self._batch.append(chunk)
        self._batch_size += len(chunk)
        if self._batch_size >= _BATCH_BYTES:
            batch = self._take_batch()
            self._running = self._thread.submit(self._hash_all, batch)

    def digest(self) -> bytes:
        """Return the hash of all bytes so far."""
        self._hash_all(self._take_batch())
        return self._hash.digest()

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far, in hexadecimal."""
        return self.digest().hex()

    def _take_batch(self) -> list[bytes]:
        """Wait for the batch that is being hashed, and return the next one."""
        if self._running:
            self._running.result()
            self._running = None
        batch, self._batch, self._batch_size = self._batch, [], 0
        return batch

    def _hash_all(self, batch: list[bytes]) -> None:
        for chunk in batch:
            self._hash.update(chunk)
