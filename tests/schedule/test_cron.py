"""The lines are what cron takes."""

from tapekit.schedule import cron
from tests.schedule.plans import plan


def lines(*program: str, closed: tuple[str, ...] = ()) -> list[str]:
    (file,) = cron.files(plan(*program, closed=closed))
    return file.content.splitlines()


def test_one_line_for_the_night_and_one_for_the_check() -> None:
    assert lines(closed=("sat", "sun"))[-2:] == [
        "30 21 * * 1,2,3,4,5 root /usr/bin/tapekit nightly nightly",
        "30 19 * * 1,2,3,4,5 root /usr/bin/tapekit check-tonight nightly",
    ]
    assert lines()[-1].startswith("30 19 * * * root")
    assert lines(closed=("mon",))[-1].startswith("30 19 * * 0,2,3,4,5,6 root")


def test_a_percent_sign_does_not_end_the_command() -> None:
    assert (
        "'/opt/tape kit/t' --config /etc/100\\%.toml nightly"
        in lines("/opt/tape kit/t", "--config", "/etc/100%.toml")[-2]
    )


def test_cron_overlooks_names_with_a_dot() -> None:
    assert cron.name("shop.2") == "tapekit-nightly-shop--2"
