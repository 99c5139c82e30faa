"""Copies of databases that are whole, and commands around a night; each with a time limit."""
