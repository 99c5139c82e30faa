"""Devices that are not there: they answer SCSI commands as real ones do, below the drivers."""
