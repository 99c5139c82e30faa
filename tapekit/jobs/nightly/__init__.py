"""The night: one run of a job, from the lock to the report."""
