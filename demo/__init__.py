"""A real Airflow and a Videos server on this machine, for `make demo` and the system tests."""
