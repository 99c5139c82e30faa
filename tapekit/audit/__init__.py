"""The audit log: who labelled, wrote, verified, restored and destroyed what, and who changed keys."""
