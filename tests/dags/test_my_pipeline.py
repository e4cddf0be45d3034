"""A test of a DAG as its owner would write it."""

from example_video_to_storage import dag

from airflow_provider_videos.emulator import Answer, Cut, Fault


def test_a_video_is_delivered_though_the_server_stumbles(videos_emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", videos_emulator.airflow_connection)
    videos_emulator.clock.per_request = 3  # seconds that pass with each request
    videos_emulator.inject(
        Fault(Answer(status=503), operation="retrieve"),  # the first poll
        Fault(Cut(after_bytes=10_000), operation="content"),  # the first download
    )

    run = dag.test(run_conf={"prompt": "A paper boat", "destination": f"{tmp_path}/boat.mp4"})

    assert run.state == "success"
    assert len(videos_emulator.purchases) == 1
    assert videos_emulator.record.requests["content"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["boat.mp4"]
