"""Waiting: what a wait makes of each answer, and when it asks again. Never imports Airflow, never logs."""
