"""
The Videos protocol, pure: nothing in here has heard of Airflow.

What others may use of a module is in its ``__all__``; a module without one is the protocol's own affair.
"""
