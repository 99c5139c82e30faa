"""The catalog: what is known of cartridges, archives, their members, and runs, in SQLite or PostgreSQL."""
