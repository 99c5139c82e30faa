"""Backs up to cartridges that explain themselves, and reads back what it wrote."""

__version__ = "0.1.0"
