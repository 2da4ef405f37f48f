"""What a request did, noted by its route for the audit log; `hub/audit.py` keeps it."""

from aiohttp import web

__all__ = ["NOTES", "note", "note_refused"]

NOTES: "web.RequestKey[list[tuple[str, str, str, str]]]" = web.RequestKey("notes", list)
"""Of each deed: account, action, subject, and the id of the access token it was done with."""

_SUBJECT_LIMIT = 400


def note(request: web.Request, action: str, subject: str, *, account: str, token: str = "") -> None:
    """Note what `account` has just done to `subject`, with the access token of that id if any."""
    notes = request.get(NOTES)
    if notes is None:
        notes = request[NOTES] = []
    notes.append((account, action, subject[:_SUBJECT_LIMIT].replace("\0", "?"), token))


def note_refused(request: web.Request, name: str) -> None:
    """Note a wrong name or password. Attempts that had to wait are not noted: there may be many."""
    note(request, "login refused", name.strip().lower(), account="")
