"""Delivering: a stream of bytes becomes a file that is there whole, or not at all. Never imports Airflow."""
