"""SCSI: commands to a device and its answers, over the kernel's sg driver or a virtual device."""
