"""Adapters to Airflow: the only modules that may differ between its releases."""
