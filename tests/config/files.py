"""A configuration that is right, to break in one place at a time."""

GOOD = """\
[site]
name = "Pharmacie du Port"
language = "fr"

[calendar]
closed = ["sat", "sun"]
holidays = ["2026-12-25", "12-26"]
absences = ["2026-08-01/2026-08-16"]

[drives]
rdx = "disk:/dev/disk/by-id/usb-TANDBERG_RDX"
spare = { url = "image:/srv/spare.tkc" }

[pools.daily]
retention = "6 days"

[rotations.week]
scheme = "weekdays"
pool = "daily"

[jobs.nightly]
sources = ["/srv/pharmacy"]
drive = "rdx"
rotation = "week"
time = "21:30"
before = [{ command = ["sync"], timeout = "1 minute" }]

[[jobs.nightly.databases]]
kind = "postgresql"
name = "pharmacy"

[notifications]
always = ["mailto://example.org?to=me", { url_env = "WEBHOOK" }]
"""
