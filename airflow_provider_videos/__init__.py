"""Video generation inside data pipelines: an Apache Airflow provider for the Videos API."""

__version__ = "0.1.0"
