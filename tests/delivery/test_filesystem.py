"""Filesystems of fsspec: committed or discarded, never just closed."""

from __future__ import annotations

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.delivery import filesystem
from airflow_provider_videos.delivery.filesystem import FilesystemFile


class Uploads(AbstractBufferedFile):
    """A file of an object store: what is flushed is uploaded, and closing completes the upload."""

    def _initiate_upload(self):
        self.fs.begun.append(self.path)
        self.parts = []

    def _upload_chunk(self, final=False):
        self.parts.append(self.buffer.getvalue())
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self):
        self.fs.objects[self.path] = b"".join(self.parts)

    def discard(self):
        self.fs.aborted.append(self.path)


class ObjectStore(fsspec.AbstractFileSystem):
    """A store whose files are fsspec's own buffered files, as those of the clouds are."""

    protocol = "objects"
    cachable = False

    def __init__(self):
        super().__init__()
        self.objects, self.begun, self.aborted = {}, [], []

    def _open(self, path, mode="rb", block_size=None, autocommit=True, **_):
        return Uploads(self, path, mode, block_size=64, autocommit=autocommit)

    def info(self, path, **_):
        if path not in self.objects:
            raise FileNotFoundError(path)
        return {"name": path, "size": len(self.objects[path]), "type": "file"}

    def ls(self, path, **_):
        return [name for name in self.objects if name.startswith(path)]


class Plain(LocalFileSystem):
    """A filesystem whose files know nothing of transactions, such as SFTP's."""

    protocol = "plain"
    cachable = False

    def _open(self, path, mode="rb", **_):
        return open(path, mode)  # noqa: PTH123 - the plainest of files


def write(target, pieces=(b"a" * 100, b"b" * 100)):
    with target as sink:
        for piece in pieces:
            sink.write(piece)
        sink.commit()


def broken(target):
    def pieces():
        yield b"a" * 100
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(target, pieces())


@pytest.fixture
def left():
    return []


def test_an_object_is_committed_once_it_is_whole(left):
    store = ObjectStore()
    write(FilesystemFile(store, "bucket/film.mp4", "objects://bucket/film.mp4", left.append))
    assert store.objects == {"bucket/film.mp4": b"a" * 100 + b"b" * 100}
    assert left == []


def test_an_object_that_broke_off_is_discarded_even_by_the_garbage_collector(left):
    store = ObjectStore()
    broken(FilesystemFile(store, "bucket/film.mp4", "objects://bucket/film.mp4", left.append))
    import gc

    gc.collect()
    assert store.objects == {}
    assert "bucket/film.mp4" in store.aborted


@pytest.mark.parametrize("kind", [Plain, LocalFileSystem])
def test_a_file_without_transactions_is_moved_into_its_place(tmp_path, left, kind):
    store, path = kind(), str(tmp_path / "deep/film.mp4")
    write(FilesystemFile(store, path, f"plain://{path}", left.append))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["film.mp4"]
    assert (tmp_path / "deep/film.mp4").read_bytes() == b"a" * 100 + b"b" * 100
    assert bool(left) == (kind is Plain)


@pytest.mark.parametrize("kind", [Plain, LocalFileSystem])
def test_a_file_that_broke_off_leaves_what_stood_there(tmp_path, left, kind):
    (tmp_path / "film.mp4").write_bytes(b"old")
    broken(FilesystemFile(kind(), str(tmp_path / "film.mp4"), "plain://film.mp4", left.append))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_what_a_killed_process_left_is_removed(tmp_path, left):
    target = FilesystemFile(Plain(), str(tmp_path / "film.mp4"), "plain://film.mp4", left.append)
    target.__enter__()
    target.write(b"half")
    (trace,) = left
    filesystem.discard(Plain(), trace)
    assert list(tmp_path.iterdir()) == []
    filesystem.discard(Plain(), trace)  # and again, should it be gone already


def test_a_filesystem_that_refuses_is_named(tmp_path, left):
    (tmp_path / "file").write_text("")
    store = DirFileSystem(str(tmp_path), LocalFileSystem())
    with pytest.raises(DeliveryError, match=r"dir://file/film\.mp4 cannot be written"):
        write(FilesystemFile(store, "file/film.mp4", "dir://file/film.mp4", left.append))
