"""What tapekit does: only here are source, stream, blocks and cartridge joined."""
