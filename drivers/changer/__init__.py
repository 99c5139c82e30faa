"""Changers (autoloaders, libraries): what is in which place, and moving it (SMC-3)."""
