"""Drivers talk to devices; base.py is the contract that all of them keep."""
