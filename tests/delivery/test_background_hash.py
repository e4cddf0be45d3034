"""The hash that is computed in a thread is that of the bytes in their order."""

from __future__ import annotations

import hashlib
import threading

import pytest

from airflow_provider_videos.delivery.background_hash import BackgroundHash

MIB = 1024 * 1024


@pytest.mark.parametrize("sizes", [[], [0], [1], [MIB - 1, 1, 1], [MIB] * 5, [3 * MIB, 7], [100_000] * 33])
def test_it_is_the_hash_of_all_bytes_at_any_time(sizes):
    hashed, whole = BackgroundHash(), hashlib.sha256()
    for number, size in enumerate(sizes):
        chunk = bytes([number]) * size
        hashed.update(chunk)
        whole.update(chunk)
        if number % 2:
            assert hashed.hexdigest() == whole.hexdigest()
    assert hashed.digest() == whole.digest()


def test_a_short_file_starts_no_thread():
    before = threading.active_count()
    hashed = BackgroundHash()
    hashed.update(b"short")
    assert hashed.hexdigest() == hashlib.sha256(b"short").hexdigest()
    assert threading.active_count() == before
