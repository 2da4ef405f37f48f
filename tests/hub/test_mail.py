"""Mails, to a server that is real and small."""

import pytest
from tests.hub.smtp import MailBox

from lamina.errors import Invalid
from lamina.hub.mail import Mail, MailFailed, MailServer


def test_a_servers_address_is_read_and_what_is_none_is_said_without_its_password():
    server = MailServer.parse("smtps://hub:s%40cret@mail.example")
    assert (server.host, server.port, server.user) == ("mail.example", 465, "hub")
    assert server.password == "s@cret"
    assert MailServer.parse("smtp://mail.example").port == 587
    for text in ("mail.example", "http://x", "smtp://", "smtp://u:hidden@h:no", "smtp://h/path"):
        with pytest.raises(Invalid) as caught:
            MailServer.parse(text)
        assert "hidden" not in str(caught.value)


def test_a_mail_arrives_with_its_head_and_a_login():
    with MailBox() as box:
        mail = Mail(MailServer.parse(box.url), sender="hub@example.com")
        mail.send("alice@example.com", subject="A new password", text="Grüße\n.\nend\n")
        got = box.next()
        assert "To: alice@example.com\r\n" in got
        assert "From: hub@example.com\r\n" in got
        assert "Subject: A new password\r\n" in got
        assert any(word.startswith("AUTH PLAIN") for word in box.words)


def test_a_server_that_refuses_or_is_not_there_is_told():
    with MailBox(refuses=True) as box:
        mail = Mail(MailServer.parse(box.url), sender="hub@example.com")
        with pytest.raises(MailFailed, match="nobody here"):
            mail.send("alice@example.com", subject="x", text="y")
        gone = box.url
    with pytest.raises(MailFailed):
        Mail(MailServer.parse(gone), sender="hub@example.com").send("a@b", subject="x", text="y")


def test_a_sender_is_one_address():
    for sender in ("", "hub", "a@b, c@d", "Hub <hub@example.com>", "a@b\nBcc: x@y"):
        with pytest.raises(Invalid):
            Mail(MailServer.parse("smtp://h"), sender=sender)


def test_a_server_elsewhere_gets_no_password_in_the_clear(monkeypatch):
    with MailBox() as box:
        monkeypatch.setattr(MailServer, "is_here", property(lambda _: False))
        with pytest.raises(MailFailed, match="no encryption"):
            Mail(MailServer.parse(box.url), sender="hub@example.com").send(
                "a@b", subject="x", text="y"
            )
        assert not any(word.startswith("AUTH") for word in box.words)
