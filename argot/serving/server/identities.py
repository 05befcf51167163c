"""Who asks: the API keys and the signed tokens that a server knows, and the groups of each.

    keys:
      - {name: hr-portal, sha256: 5e88489..., groups: [hr]}
    tokens:
      issuer: https://login.example.com/realms/acme
      audience: argot
      jwks: https://login.example.com/realms/acme/protocol/openid-connect/certs
      claim: groups

A key stands there as the SHA-256 of its bytes. A token is a JWT (RFC 7519) that the issuer signed;
`jwks` is the address of the issuer's public keys, or a file of them (RFC 7517).
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import anyio.to_thread
import jwt
import yaml
from fastapi import Depends
from pydantic import Field, StringConstraints, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from argot.core.params import Settings
from argot.errors import InputError
from argot.serving.server.guard import WrongKeys, credentials, needs_key, refuse, text_headers

LOG = logging.getLogger("argot.serving.server")
# Signatures that only the issuer can make. HS256 and its kin are left out: whoever can check such a
# signature can make one too. So is "none".
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
CLAIMS = ("exp", "iss", "aud")  # without which a token is refused
LEEWAY = 30  # seconds by which clocks may differ
TOKEN_CHARACTERS = 16_000
SECONDS = 5.0  # for one fetch of the issuer's keys
PAUSE = 30.0  # seconds between a fetch that failed and the next one
GROUPS = "argot.groups"  # in the ASGI scope
Name = Annotated[str, StringConstraints(min_length=1)]


class KeyEntry(Settings):
    """One API key."""

    name: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    groups: list[Name]


class TokenSettings(Settings):
    """Whose tokens are accepted, and where in them the groups are."""

    issuer: Name
    audience: Name
    jwks: Name
    claim: Name = "groups"


class IdentitySettings(Settings):
    """What a file of keys holds."""

    keys: list[KeyEntry] = Field(default=[])
    tokens: TokenSettings | None = None


@dataclass(frozen=True)
class Identities:
    """The groups by each key's hash, and the tokens that are accepted."""

    keys: Mapping[str, frozenset[str]]
    tokens: Tokens | None

    def groups(self, credential: str) -> frozenset[str] | None:
        """The groups of whoever sent this key or token; None where nobody is known by it."""
        known = self.keys.get(hashlib.sha256(credential.encode("latin-1")).hexdigest())
        if known is not None or self.tokens is None:
            return known
        return self.tokens.groups(credential)

    def first_groups(self, credentials: Sequence[str]) -> frozenset[str] | None:
        """The groups by the first of several keys and tokens that somebody is known by."""
        found = map(self.groups, credentials)
        return next((groups for groups in found if groups is not None), None)


class _IssuersKeys(jwt.PyJWKClient):
    """The issuer's keys, fetched once in PAUSE seconds at most, however many tokens come.

    PyJWKClient itself pauses only after a fetch that succeeded. Each fetch holds up all tokens, so
    an issuer that does not answer would hold up the server.
    """

    _failed = float("-inf")

    def fetch_data(self) -> Any:
        """Fetch them; PyJWKClientError where that fails, or failed just now."""
        if time.monotonic() - self._failed < PAUSE:
            raise jwt.PyJWKClientError("the issuer's keys could not be fetched just now")
        try:
            return super().fetch_data()
        except Exception as error:  # whatever is wrong with the reply, the issuer is to blame
            self._failed = time.monotonic()
            LOG.warning("no keys from %s: %s: %s", self.uri, type(error).__name__, error)
            raise jwt.PyJWKClientError(str(error)) from error


class Tokens:
    """Tokens of one issuer for one audience."""

    def __init__(self, settings: TokenSettings, folder: Path) -> None:
        self.settings = settings
        self._keys: jwt.PyJWKSet | jwt.PyJWKClient
        if urlsplit(settings.jwks).scheme in ("http", "https"):
            self._keys = _IssuersKeys(
                _safe(settings.jwks), timeout=SECONDS, cooldown_duration=PAUSE
            )
        else:
            self._keys = _read_jwks(folder / settings.jwks)

    def groups(self, token: str) -> frozenset[str] | None:
        """The groups that a token names; None where it is not to be trusted.

        A token without the claim is of somebody without groups.
        """
        if len(token) > TOKEN_CHARACTERS:
            return None
        try:
            claims = self._claims(token)
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError) as error:
            LOG.debug("refused a token: %s", type(error).__name__)
            return None
        given = claims.get(self.settings.claim, [])
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
            LOG.debug("refused a token: its claim of groups is no list of names")
            return None
        return frozenset(name for name in given if name)

    def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid", "")
        known = self._keys
        key = known[kid] if isinstance(known, jwt.PyJWKSet) else known.get_signing_key(kid)
        # A key is good for one algorithm, whatever the token's header says.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self.settings.audience,
            issuer=self.settings.issuer,
            leeway=LEEWAY,
            options={"require": list(CLAIMS), "enforce_minimum_key_length": True},
        )
        return claims


class Identify:
    """ASGI middleware inside the guard: finds out the groups of who asks, or refuses."""

    def __init__(self, app: ASGIApp, identities: Identities) -> None:
        self.app, self.identities, self.wrong_keys = app, identities, WrongKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and needs_key(scope["path"]):
            given = credentials(text_headers(scope))
            # In a thread: the issuer's keys may have to be fetched.
            groups = await anyio.to_thread.run_sync(self.identities.first_groups, given)
            if groups is None:
                if given:
                    self.wrong_keys.count(scope)
                await refuse(send, 401, "unknown or expired: send a key or token of your own")
                return
            scope[GROUPS] = groups
        await self.app(scope, receive, send)


def asking(connection: HTTPConnection) -> frozenset[str] | None:
    """The groups of who asks, as `Identify` found them; None where the server knows nobody."""
    groups: frozenset[str] | None = connection.scope.get(GROUPS)
    return groups


Asking = Annotated[frozenset[str] | None, Depends(asking)]


def read_identities(path: Path) -> Identities:
    """Read a file of keys; InputError naming the line or entry that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = IdentitySettings.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} can't be read: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']}; see SECURITY.md") from None
    keys = {entry.sha256: frozenset(entry.groups) for entry in settings.keys}
    if len(keys) < len(settings.keys):
        raise InputError(f"{path}: keys: two entries have the same sha256")
    if not keys and settings.tokens is None:
        raise InputError(f"{path}: expected `keys`, `tokens` or both, found neither")
    tokens = Tokens(settings.tokens, path.parent) if settings.tokens else None
    return Identities(keys, tokens)


def _safe(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(f"tokens.jwks: {address} must be https: keys that anybody can replace")
    return address


def _read_jwks(path: Path) -> jwt.PyJWKSet:
    try:
        return jwt.PyJWKSet.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, AttributeError, jwt.PyJWTError) as error:
        raise InputError(f"tokens.jwks: {path} holds no keys that can be read: {error}") from None
