"""A browser, as far as cookies and origins go: what it keeps, sends along and says of where a request comes from."""

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import httpx

from tests import given
from tests.api import Api

STORE, ADMIN, STRANGER = "https://shop.example", "https://admin.example", "https://evil.shop.example"
OWN = "http://shop.test"
SITES = {"STORE_CORS": STORE, "ADMIN_CORS": ADMIN}


@dataclass
class Browser:
    """A page of an origin that asks with credentials."""

    api: Api
    origin: str | None = STORE
    kept: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def at(self, origin: str | None, **headers: str) -> "Browser":
        """The same browser on another page: it has the same cookies."""
        return Browser(self.api, origin, self.kept, {k.replace("_", "-"): v for k, v in headers.items()})

    def sends(self) -> dict[str, str]:
        said = {"origin": self.origin} if self.origin is not None else {}
        cookies = {"cookie": "; ".join(f"{name}={value}" for name, value in self.kept.items())} if self.kept else {}
        return {**said, **cookies, **self.headers}

    async def post(self, query: str, variables: dict[str, Any] | None = None) -> httpx.Response:
        body = {"query": query, "variables": variables or {}}
        return self._keep(await self.api.http.post("/graphql", json=body, headers=self.sends()))

    async def get(self, query: str, **headers: str) -> httpx.Response:
        sent = {**self.sends(), **headers}
        return self._keep(await self.api.http.get("/graphql", params={"query": query}, headers=sent))

    async def do(self, mutation: str, input_: dict[str, Any], select: str) -> dict[str, Any]:
        """The payload, with its `userErrors` as (type, path)."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        answer = await self.post(
            f"""mutation ($input: {kind}!) {{ {mutation}(input: $input) {{
                {select} userErrors {{ __typename path }} }} }}""",
            {"input": input_},
        )
        payload = answer.json()["data"][mutation]
        return {**payload, "userErrors": [(e["__typename"], e["path"]) for e in payload["userErrors"]]}

    async def sign_in(self, email: str = "sam@shop.example", as_: str = "customer") -> dict[str, Any]:
        credentials = {"email": email, "password": given.PASSWORD, "tokens": "COOKIE"}
        return await self.do(f"{as_}SignIn", credentials, "accessToken refreshToken expiresIn")

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        self.api.http.cookies.clear()
        for header in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.kept.pop(name, None)
                else:
                    self.kept[name] = morsel.value
        return answer


def codes(answer: httpx.Response) -> tuple[int, list[str]]:
    return answer.status_code, [error["extensions"]["code"] for error in answer.json().get("errors", [])]
