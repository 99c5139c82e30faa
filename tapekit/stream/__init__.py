"""The pax stream between members and blocks: packed into cuts, and unpacked again, around damage where there is any."""
