"""
Time of a download beside the slower of its two halves, and the memory it adds to a process.

One file, from an emulator to local disk and to rclone's S3 server, over loopback; each in its own process.
Both ends are behind proxies that let 80 MiB through in a second, so that not the processor is measured. The
slower half is that of a plain download to a file and a plain ``upload_file`` of boto3. Beside it, what people
do instead: download to a temporary file and upload that, the official SDK, Airflow's own HttpToS3Operator.

Bars: throttled, at most 1.15 times the slower half; as fast as it goes, to S3 at most 1.0 times the temporary
file and its upload, and to disk at most 1.4 times a plain download; at most 64 MiB more memory to S3 and 16
MiB to local disk, whatever the file's size. Processor time is that of the measured process alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_provider_videos.emulator import Emulator
    from tests.system.object_storage import ObjectStorage

MIB = 1024 * 1024
RATE = 80 * MIB
BAR_RATIO = 1.15
BAR_MIB = {"ours, to S3": 64, "ours, to disk": 16}
BAR_BESIDE = {
    "ours, to S3": ("download to a file, then upload_file", 1.0),
    "ours, to disk": ("plain download", 1.4),
}
LEEWAY_MIB = 8  # one part more or less may be on its way
KEY = "test-key"


# --- What is measured, each in a process of its own -------------------------------------------------------


class Memory(dict[str, Any]):
    """Values that Airflow would keep for the task."""

    def set(self, key: str, value: object, retention: object = None) -> None:
        self[key] = value


def _operator(video_id: str, destination: str, **options: Any) -> Callable[[], object]:
    from airflow_provider_videos.operators.videos import VideoDownloadOperator

    operator = VideoDownloadOperator(
        task_id="it", video_id=video_id, destination=destination, if_exists="overwrite", **options
    )
    context: Any = {"task_state_store": Memory(), "outlet_events": {}}
    return lambda: operator.execute(context)


def _s3() -> Any:
    import boto3

    return boto3.client("s3")


def _download(base_url: str, video_id: str, path: str) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {KEY}"}
    address = f"{base_url}/videos/{video_id}/content"
    with httpx.stream("GET", address, headers=headers) as response, Path(path).open("wb") as file:
        file.writelines(response.iter_bytes())


def _warm(destination: str) -> None:
    """Deliver a small file, so that what is imported at the first need is not measured."""
    _operator(os.environ["BENCH_SMALL"], destination, videos_conn_id="bench_small")()


def ours_local(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    _warm(f"{path}.warm")
    return _operator(video_id, path)


def ours_s3(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    _warm("s3://bench/warm")
    return _operator(video_id, "s3://bench/ours.mp4")


def plain_download(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    return lambda: _download(base_url, video_id, path)


def plain_upload(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    s3 = _s3()
    source = os.environ["BENCH_FILE"]
    return lambda: s3.upload_file(source, "bench", "plain.mp4")


def naive(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    s3 = _s3()

    def both() -> None:
        _download(base_url, video_id, path)
        s3.upload_file(path, "bench", "naive.mp4")

    return both


def sdk(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key=KEY)
    return lambda: client.videos.download_content(video_id).write_to_file(path)


def http_to_s3(base_url: str, video_id: str, path: str) -> Callable[[], object]:
    from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator

    operator = HttpToS3Operator(
        task_id="it",
        http_conn_id="bench_http",
        endpoint=f"/v1/videos/{video_id}/content",
        headers={"Authorization": f"Bearer {KEY}"},
        s3_bucket="bench",
        s3_key="airflow.mp4",
        replace=True,
        aws_conn_id=None,
    )
    nothing: Any = {}
    return lambda: operator.execute(nothing)


WAYS = {
    "plain download": plain_download,
    "plain upload": plain_upload,
    "ours, to disk": ours_local,
    "ours, to S3": ours_s3,
    "download to a file, then upload_file": naive,
    "official SDK, to disk": sdk,
    "HttpToS3Operator": http_to_s3,
}


FAST = [way for way in WAYS if way not in {"official SDK, to disk", "HttpToS3Operator"}]


def memory_mib(kind: str) -> float:
    """Return ``VmRSS``, what is held now, or ``VmHWM``, the most since the mark was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def measure(way: str, base_url: str, video_id: str, path: str) -> None:
    job = WAYS[way](base_url, video_id, path)
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before, began, worked = memory_mib("VmRSS"), time.perf_counter(), processor_seconds()
    job()
    measured = {"seconds": time.perf_counter() - began, "processor": processor_seconds() - worked}
    print(json.dumps({"mib": memory_mib("VmHWM") - before, **measured}))


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- Both ends --------------------------------------------------------------------------------------------


class Throttle:
    """A proxy that lets so many bytes through in a second, all connections together."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._free = 0.0

    async def serve(self, port: int) -> None:
        async with await asyncio.start_server(self._connected, "127.0.0.1", port, limit=MIB) as server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target, limit=MIB)
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing() and (chunk := await reader.read(256 * 1024)):
                await self._wait(len(chunk))
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def _wait(self, size: int) -> None:
        now = asyncio.get_running_loop().time()
        self._free = max(self._free, now - 0.25) + size / RATE
        if self._free > now:
            await asyncio.sleep(self._free - now)


def throttle(*ports: str) -> None:
    """Serve a proxy at each first port of a pair, to the second."""

    async def all_of_them() -> None:
        pairs = zip(ports[::2], ports[1::2], strict=True)
        await asyncio.gather(*(Throttle(int(target)).serve(int(port)) for port, target in pairs))

    asyncio.run(all_of_them())


@contextmanager
def proxies(*targets: int) -> Iterator[list[int]]:
    from demo.standalone import free_ports

    ports = free_ports(len(targets))
    pairs = [str(port) for pair in zip(ports, targets, strict=True) for port in pair]
    process = subprocess.Popen([sys.executable, __file__, "throttle", *pairs])
    try:
        time.sleep(1)
        yield ports
    finally:
        process.kill()
        process.wait()


class Bench:
    """Runs the ways against one emulator and one S3 server; the small emulator is for warming up."""

    def __init__(self, folder: Path, emulator: Emulator, small: Emulator, storage: ObjectStorage) -> None:
        self.folder = folder
        self.ports = tuple(urlsplit(url).port or 0 for url in (emulator.base_url, storage.endpoint))
        self._video_id = _bought(emulator)
        self._environment = {
            **os.environ,
            **storage.client_env,
            "AIRFLOW_CONN_BENCH_SMALL": small.airflow_connection,
            "BENCH_SMALL": _bought(small),
            "BENCH_FILE": str(self.folder / "source.mp4"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }

    def run(self, way: str, ports: Sequence[int] | None = None) -> dict[str, float]:
        emulator, s3 = ports or self.ports
        base_url = f"http://127.0.0.1:{emulator}/v1"
        connections = {
            "AIRFLOW_CONN_VIDEOS_DEFAULT": {"conn_type": "videos", "host": base_url, "password": KEY},
            "AIRFLOW_CONN_BENCH_HTTP": {"conn_type": "http", "host": f"http://127.0.0.1:{emulator}"},
        }
        environment = {
            **self._environment,
            **{name: json.dumps(value) for name, value in connections.items()},
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
        }
        path = self.folder / "film.mp4"
        command = [sys.executable, "-W", "ignore", __file__, way, base_url, self._video_id, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        path.unlink(missing_ok=True)
        if done.returncode:
            raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return result


def _bought(emulator: Emulator) -> str:
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.endpoint import Endpoint

    with VideosClient(Endpoint(emulator.base_url, api_key=KEY)) as client:
        video_id = client.create("A boat").id
    emulator.clock.advance(60)
    return video_id


@contextmanager
def both_ends() -> Iterator[tuple[Bench, Emulator]]:
    from airflow_provider_videos.emulator import Emulator
    from tests.system.object_storage import ObjectStorage

    with (
        tempfile.TemporaryDirectory(prefix="bench-delivery-") as name,
        Emulator() as emulator,
        Emulator() as small,
        ObjectStorage(Path(name) / "s3", buckets=["bench"]) as storage,
    ):
        small.serve_bytes(MIB)
        yield Bench(Path(name), emulator, small, storage), emulator


# --- The report -------------------------------------------------------------------------------------------


def rounds(
    bench: Bench, runs: int, ports: Sequence[int] | None, ways: Iterable[str] = WAYS
) -> dict[str, dict[str, float]]:
    """Run each way so many times, in turns, and return the medians."""
    results: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, found in results.items():
            found.append(bench.run(way, ports))
    return {
        way: {name: statistics.median(one[name] for one in found) for name in ("seconds", "processor", "mib")}
        for way, found in results.items()
    }


def report(title: str, medians: dict[str, dict[str, float]], size: int) -> dict[str, float]:
    down, up = (medians[way]["seconds"] for way in ("plain download", "plain upload"))
    print(f"\n{title}; slower half of a delivery to S3: {max(down, up):.2f} s")
    ratios = {}
    for way, median in medians.items():
        half = down if way.endswith("disk") or way == "plain download" else max(down, up)
        ratios[way] = median["seconds"] / half
        print(
            f"  {way:38} {median['seconds']:7.2f} s {size / MIB / median['seconds']:7.1f} MiB/s"
            f"  ratio {ratios[way]:5.2f}  processor {median['processor']:6.2f} s"
            f"  memory {median['mib']:+8.1f} MiB"
        )
    return ratios


def memory(bench: Bench, emulator: Emulator, sizes: Sequence[int]) -> dict[str, list[float]]:
    """Measure what files of several sizes, in MiB, add at the peak."""
    print("\nmemory above idle at the peak")
    peaks: dict[str, list[float]] = {way: [] for way in BAR_MIB}
    for way, bar in BAR_MIB.items():
        for mib in sizes:
            emulator.serve_bytes(mib * MIB)
            peaks[way].append(bench.run(way)["mib"])
        shown = ", ".join(
            f"{peak:.1f} MiB for {mib} MiB" for mib, peak in zip(sizes, peaks[way], strict=True)
        )
        print(f"  {way:38} {shown} (bar {bar} MiB)")
    return peaks


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024, help="the file's length (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="how often each way is run (%(default)s)")
    parser.add_argument("--fast-runs", type=int, default=5, help="and as fast as it goes (%(default)s)")
    parser.add_argument("--memory-mib", type=int, nargs="+", default=[64, 2048], help="%(default)s")
    options = parser.parse_args()
    size = options.mib * MIB
    with both_ends() as (bench, emulator):
        os.environ["AIRFLOW_HOME"] = str(bench.folder / "airflow")
        content = emulator.serve_bytes(size)
        with (bench.folder / "source.mp4").open("wb") as file:
            file.writelines(content.chunks(0, size))
        with proxies(*bench.ports) as ports:
            medians = rounds(bench, options.runs, ports)
        title = f"{options.mib} MiB, both ends at {RATE // MIB} MiB/s, median of {options.runs}"
        ratios = report(title, medians, size)
        fast = rounds(bench, options.fast_runs, None, FAST)
        report(f"{options.mib} MiB, as fast as it goes, median of {options.fast_runs}", fast, size)
        peaks = memory(bench, emulator, options.memory_mib)
    missed = [f"{way}: time" for way in BAR_MIB if ratios[way] > BAR_RATIO]
    for way, (peer, bar) in BAR_BESIDE.items():
        ratio = fast[way]["seconds"] / fast[peer]["seconds"]
        print(f"  {way:38} {ratio:5.2f} times {peer} (bar {bar})")
        missed += [f"{way}: fast"] if ratio > bar else []
    missed += [f"{way}: memory" for way in BAR_MIB if max(*peaks[way], medians[way]["mib"]) > BAR_MIB[way]]
    missed += [f"{way}: grows" for way in BAR_MIB if max(peaks[way]) - min(peaks[way]) > LEEWAY_MIB]
    print(f"\nbar for time: {BAR_RATIO} times the slower half. Missed: {', '.join(missed) or 'nothing'}")
    return bool(missed)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "throttle":
        throttle(*sys.argv[2:])
    elif len(sys.argv) > 1 and sys.argv[1] in WAYS:
        measure(*sys.argv[1:])
    else:
        sys.exit(main())
