"""Buying once: what a task remembers of its purchase, and what follows from it. Never imports Airflow."""
