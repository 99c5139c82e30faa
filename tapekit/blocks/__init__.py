"""Blocks between the stream and the drive: compressed, sealed and written; read, checked and decoded."""
