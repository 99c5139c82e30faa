"""The doctor: what on this machine or in this site's set-up would spoil a night, before one is spoilt."""
