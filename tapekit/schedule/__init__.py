"""Runs the jobs at their times: systemd's timers where there is systemd, lines for cron otherwise."""
