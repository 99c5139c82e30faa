"""The command line: one file for each command; it asks jobs to work, and shows what they did."""
