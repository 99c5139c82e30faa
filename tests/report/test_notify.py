import email
import email.policy
import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from tapekit.report.night import Outcome
from tapekit.report.notify import ATTEMPTS, KEPT, BadTarget, Message, Notifier, State, Target, resolve
from tapekit.report.text import subject, text
from tests.report import nights
from tests.report.sinks import MailSink, WebSink, serving

MESSAGE = Message("[OK] Pharmacie, été", "Sauvegarde faite, relue, comparée.\n  a  b", Outcome.CLEAN)
SECRET = "hunter2"


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with serving(MailSink()) as sink:
        yield sink


@pytest.fixture
def web() -> Iterator[WebSink]:
    with serving(WebSink()) as sink:
        yield sink


@pytest.fixture
def waits() -> list[float]:
    return []


def mail_target(port: int) -> Target:
    sender = "from=tapekit@example.com&to=boss@example.com"
    return Target(f"mailto://127.0.0.1:{port}?{sender}&smtp=127.0.0.1&mode=insecure")


def web_target(port: int) -> Target:
    return Target(f"json://someone:{SECRET}@127.0.0.1:{port}/{SECRET}")


@pytest.fixture
def nowhere() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("language", ("en", "fr"))
def test_a_report_arrives_as_mail(mail: MailSink, tmp_path: Path, language: str) -> None:
    report = nights.WARNINGS
    message = Message(subject(report, language, UTC), text(report, language, UTC), report.outcome)
    results = Notifier([mail_target(mail.port)], tmp_path / "unsent").send(message)
    assert [(result.target, result.state) for result in results] == [("mailto 1", State.SENT)]
    came = email.message_from_string(mail.mails[0], policy=email.policy.default)
    assert str(came["Subject"]).replace("\xa0", " ") == message.subject.replace("\xa0", " ")
    assert came["To"] == "boss@example.com"
    body = came.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").strip() == message.text.strip()


def test_a_report_arrives_by_webhook(web: WebSink, tmp_path: Path) -> None:
    assert Notifier([web_target(web.port)], tmp_path / "unsent").send(MESSAGE)[0].state is State.SENT
    came = json.loads(web.bodies[0])
    assert came["title"] == MESSAGE.subject
    assert came["message"] == MESSAGE.text
    assert came["type"] == "success"


def test_one_that_is_unreachable_is_tried_again_and_holds_up_no_other(
    web: WebSink, nowhere: int, tmp_path: Path, waits: list[float]
) -> None:
    targets = [web_target(nowhere), web_target(web.port)]
    results = Notifier(targets, tmp_path / "unsent", waits.append).send(MESSAGE)
    assert [result.state for result in results] == [State.KEPT, State.SENT]
    assert waits == [5.0, 10.0]
    assert len(web.bodies) == 1


def test_one_that_refuses_is_asked_so_often_and_no_more(web: WebSink, tmp_path: Path, waits: list[float]) -> None:
    web.status = 500
    assert Notifier([web_target(web.port)], tmp_path / "unsent", waits.append).send(MESSAGE)[0].state is State.KEPT
    assert len(web.bodies) == ATTEMPTS


def test_what_was_not_sent_goes_out_behind_the_next_and_to_that_target_only(
    web: WebSink, mail: MailSink, tmp_path: Path, waits: list[float]
) -> None:
    notifier = Notifier([web_target(web.port), mail_target(mail.port)], tmp_path / "unsent", waits.append)
    web.status = 503
    for number in (1, 2):
        notifier.send(Message(f"night {number}", "text", Outcome.FAILED))
    web.status = 200
    web.bodies.clear()
    results = notifier.send(Message("night 3", "text", Outcome.CLEAN))
    assert [json.loads(body)["title"] for body in web.bodies] == ["night 3", "night 1", "night 2"]
    assert [result.earlier for result in results] == [2, 0]
    assert len(mail.mails) == 3
    assert not list((tmp_path / "unsent").iterdir())


def test_a_service_that_never_answers_is_left(tmp_path: Path, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = web_target(listener.getsockname()[1])
        result = Notifier([target], tmp_path / "unsent", waits.append, limit_s=0.2).send(MESSAGE)[0]
    assert (result.state, result.problem) == (State.KEPT, "no answer in time")
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join()


def test_the_spool_is_private_and_bounded(nowhere: int, tmp_path: Path) -> None:
    spool = tmp_path / "unsent"
    notifier = Notifier([Target("nonsense://x")], spool)
    for _ in range(KEPT + 3):
        notifier.send(MESSAGE)
    kept = sorted(spool.iterdir())
    assert len(kept) == KEPT
    assert spool.stat().st_mode & 0o777 == 0o700
    assert kept[0].stat().st_mode & 0o777 == 0o600


def test_a_spool_that_cannot_be_written_fails_nothing(nowhere: int, tmp_path: Path, waits: list[float]) -> None:
    (tmp_path / "unsent").write_text("a file")
    result = Notifier([web_target(nowhere)], tmp_path / "unsent", waits.append).send(MESSAGE)[0]
    assert result.state is State.LOST
    assert "not kept" in result.problem


def test_a_torn_file_in_the_spool_is_dropped(web: WebSink, tmp_path: Path, waits: list[float]) -> None:
    notifier = Notifier([web_target(web.port)], tmp_path / "unsent", waits.append)
    web.status = 503
    notifier.send(MESSAGE)
    for path in (tmp_path / "unsent").iterdir():
        path.write_text('{"subject": "x"')
    web.status = 200
    assert notifier.send(MESSAGE)[0].earlier == 0
    assert not list((tmp_path / "unsent").iterdir())


def test_nothing_secret_is_in_results_files_or_logs(
    web: WebSink,
    nowhere: int,
    tmp_path: Path,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    web.status = 403
    targets = [
        web_target(web.port),
        web_target(nowhere),
        Target(f"nonsense://{SECRET}"),
        Target(f"mailto://u:{SECRET}@"),
        Target(SECRET),
    ]
    results = Notifier(targets, tmp_path / "unsent", waits.append).send(MESSAGE)
    assert [result.state for result in results] == [State.KEPT] * 5
    kept = "".join(f"{path.name}{path.read_text()}" for path in (tmp_path / "unsent").iterdir())
    output = capfd.readouterr()
    assert SECRET not in f"{results}{targets}{kept}{output.out}{output.err}"
    assert not [record for record in caplog.records if SECRET in record.getMessage()]


def test_urls_by_reference(web: WebSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web_target(web.port).url
    path = tmp_path / "url"
    path.touch(0o600)
    path.write_text(f"{url}\n")
    monkeypatch.setenv("REPORT_URL", url)
    assert resolve(Target(url_file=path)) == resolve(Target(url_env="REPORT_URL")) == url
    results = Notifier([Target(url_file=path), Target(url_env="REPORT_URL")], tmp_path / "unsent").send(MESSAGE)
    assert [result.state for result in results] == [State.SENT] * 2


@pytest.mark.parametrize("content", (None, b"", b"json://a\njson://b", b"\xff"))
def test_a_file_with_no_url_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "url"
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    with pytest.raises(BadTarget, match="url: no URL"):
        resolve(Target(url_file=path))


def test_a_file_that_others_read_is_refused_and_the_report_kept(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("json://127.0.0.1")
    path.chmod(0o644)
    result = Notifier([Target(url_file=path)], tmp_path / "unsent").send(MESSAGE)[0]
    assert result.state is State.KEPT
    assert "others may read it" in result.problem


def test_a_variable_that_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPORT_URL", raising=False)
    with pytest.raises(BadTarget, match="not set"):
        resolve(Target(url_env="REPORT_URL"))
