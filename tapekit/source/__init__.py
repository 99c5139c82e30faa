"""The file system: walked and read for a backup, put back by a restore, compared by a verification."""
