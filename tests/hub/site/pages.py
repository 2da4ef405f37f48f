"""A person's browser without script: cookies, forms, redirects as they come."""

import re
from urllib.parse import urlencode

from tests.hub.clients import PASSWORD, Answer, Client

__all__ = ["Browser"]


class Browser:
    """Keeps cookies and sends forms with the hidden token of the page they stand on."""

    def __init__(self, address: str) -> None:
        self.cookies: dict[str, str] = {}
        self._client = Client(address)

    def get(self, path: str) -> Answer:
        return self._keep(self._client.get(path, **self._headers()))

    def token(self, path: str) -> str:
        found = re.search(r'name="form_token" value="(\w+)"', self.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, *, page: str = "", token: str | None = None, **fields: str) -> Answer:
        """Send a form; its token is read from `page` (the form's own address unless said)."""
        fields["form_token"] = self.token(page or path) if token is None else token
        return self.send(path, urlencode(fields).encode())

    def send(self, path: str, body: bytes, **headers: str) -> Answer:
        kind = "application/x-www-form-urlencoded"
        headers = {"Content_Type": kind, **self._headers(), **headers}
        return self._keep(self._client.request("POST", path, body, **headers))

    def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        return self.post("/signin", name=name, password=password)

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}

    def _keep(self, answer: Answer) -> Answer:
        for name, value in re.findall(
            r"(lamina_\w+)=\"?([^;\"]*)", answer.headers.get("set-cookie", "")
        ):
            self.cookies[name] = value
        return answer
