"""Hook: an Airflow connection becomes a client."""
