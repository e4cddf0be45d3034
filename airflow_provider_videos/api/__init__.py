"""The Videos protocol, pure: nothing in here has heard of Airflow."""
