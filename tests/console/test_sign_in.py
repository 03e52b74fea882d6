"""The door in a real browser: password, passkey, app, recovery code, one's own institution; keyboard and axe.

A console of its own, on localhost by name: browsers keep passkeys for names alone.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.conftest import missing
from tests.console.conftest import told

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.model import Grant
from xinglin.console.people.totp import code_at
from xinglin.console.people.wiring import open_people
from xinglin.console.seats import Seat, write_seats
from xinglin.console.settings import ConsoleSettings
from xinglin.stores.settings_file import settings_file_text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300, func_only=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib.*"),
]

PASSWORD = "a calm river bends twice"
SUBJECT = "employee-7"
VIRTUAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class SmallConsole:
    """A console process with two seats behind which nothing runs, and its accounts."""

    def __init__(self, folder: Path, port: int = 0, **given: Any) -> None:
        self.folder = folder
        port = port or free_port()
        self.settings = ConsoleSettings(
            port=port,
            public_url=f"http://localhost:{port}",
            institution="County Hospital 县医院 (fictional)",
            **given,
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "console.toml").write_text(settings_file_text(self.settings), encoding="utf-8")
        seats = (("county", "hospital", "County Hospital (fictional)"), ("hub", "operator", "Operator (fictional)"))
        write_seats(folder, tuple(Seat(name, role, label, folder / name) for name, role, label in seats))
        self.people: Entrance = open_people(folder, settings=self.settings)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it until it answers."""
        command = [sys.executable, "-m", "xinglin", "console", "run", "--folder", str(self.folder)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": "src"})
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.settings.url}/healthz", trust_env=False).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
        self.people.close()

    def account(self, name: str, **given: Any) -> None:
        """An account with both seats."""
        self.people.accounts.add(name, f"{name} (fictional)", PASSWORD, [Grant("county"), Grant("hub")], **given)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a real OpenID Connect provider in this process, where its package is installed."""
    try:
        with warnings.catch_warnings(action="ignore"):
            from oidc_provider_mock import User, run_server_in_thread
    except ImportError:
        missing("oidc", "no OpenID Connect provider in this environment (pip install oidc-provider-mock)")
    with run_server_in_thread(
        require_client_registration=True, require_nonce=True, user_claims=[User(sub=SUBJECT)]
    ) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallConsole]:
    """A console where people sign in by passwords, apps and passkeys."""
    made = SmallConsole(tmp_path_factory.mktemp("door") / "console")
    made.start()
    yield made
    made.close()


@pytest.fixture
def door(browser: Browser, small: SmallConsole) -> Iterator[Callable[..., Page]]:
    """``door("zh-CN", "dark", 390)``: a fresh browser before the sign-in form."""
    contexts: list[BrowserContext] = []

    def opened(locale: str = "en-GB", theme: str = "light", width: int = 1280, base: str = "") -> Page:
        context = browser.new_context(
            base_url=base or small.settings.url,
            locale=locale,
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in")
        return page

    yield opened
    for one in contexts:
        one.close()


def fill_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")


def device(page: Page) -> tuple[CDPSession, str]:
    """A virtual authenticator in this browser (W3C Web Authentication, section 11)."""
    line = page.context.new_cdp_session(page)
    line.send("WebAuthn.enable")
    return line, line.send("WebAuthn.addVirtualAuthenticator", {"options": VIRTUAL})["authenticatorId"]


def test_name_and_password_by_keyboard_alone(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("mei")
    page = door()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "name":
            break
    page.keyboard.type("mei")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    assert "do not belong together" in page.inner_text("[role=alert]")
    assert page.input_value("input[name=name]") == "mei" and page.input_value("input[name=password]") == ""
    page.focus("input[name=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "xinglin_session"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and not page.evaluate("document.cookie")


def test_a_passkey_is_made_and_then_signs_in_alone(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("lan")
    page = door()
    line, authenticator = device(page)
    fill_in(page, "lan")
    page.wait_for_url("**/inbox")
    page.goto("/account")
    page.click("a[href='/account/passkey']")
    page.fill("input[name=label]", "test device")
    page.click("form[data-passkey] button")
    page.wait_for_selector(".codes")
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    made = line.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [one["rpId"] for one in made] == ["localhost"] and made[0]["isResidentCredential"]
    page.click("text=I kept them")
    assert "test device" in page.inner_text("main")
    page.click("header details:last-of-type summary")
    page.click("form[action='/sign-out'] button")
    page.wait_for_url("**/sign-in")
    page.click("form[data-passkey] button")
    page.wait_for_url("**/inbox")
    page.context.clear_cookies()
    page.goto("/sign-in")
    fill_in(page, "lan")
    page.wait_for_url("**/sign-in/second")
    page.fill("input[name=code]", codes[3])
    page.press("input[name=code]", "Enter")
    page.wait_for_url("**/inbox")
    small_record = small.people.accounts.needed("lan")
    assert len(small_record.recovery) == 9 and small_record.passkeys[0].used > 0


def test_a_device_that_does_not_know_its_user_lets_nobody_in(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("qiu")
    page = door()
    line, authenticator = device(page)
    fill_in(page, "qiu")
    page.wait_for_url("**/inbox")
    page.goto("/account/passkey")
    page.click("form[data-passkey] button")
    page.wait_for_selector(".codes")
    line.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.context.clear_cookies()
    page.goto("/sign-in")
    page.click("form[data-passkey] button")
    page.wait_for_selector("[data-passkey-wrong]:not([hidden])")
    assert page.url.endswith("/sign-in")


def test_a_cloned_authenticator_is_seen_by_its_count(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("yun")
    page = door()
    line, authenticator = device(page)
    fill_in(page, "yun")
    page.wait_for_url("**/inbox")
    page.goto("/account/passkey")
    page.click("form[data-passkey] button")
    page.wait_for_selector(".codes")
    (copy,) = line.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    for worked in (True, False):
        page.context.clear_cookies()
        page.goto("/sign-in")
        page.click("form[data-passkey] button")
        if worked:
            page.wait_for_url("**/inbox")
            line.send("WebAuthn.clearCredentials", {"authenticatorId": authenticator})
            line.send("WebAuthn.addCredential", {"authenticatorId": authenticator, "credential": copy})
        else:
            page.wait_for_selector(".refusal")
            assert "was not accepted" in page.inner_text(".refusal")


def test_an_app_is_set_up_and_asked_for(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("xue")
    page = door()
    fill_in(page, "xue")
    page.wait_for_url("**/inbox")
    page.goto("/account/code")
    secret = base64.b32decode(page.inner_text(".secret").replace(" ", ""))
    assert page.locator(".qr svg").bounding_box()["width"] > 150  # type: ignore[index]
    page.fill("input[name=code]", code_at(secret, int(time.time() * 1000)))
    page.click("text=Confirm")
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    page.context.clear_cookies()
    page.goto("/sign-in?return_to=/account")
    fill_in(page, "xue")
    page.wait_for_url("**/sign-in/second")
    page.fill("input[name=code]", code_at(secret, int(time.time() * 1000) + 30_000))
    page.press("input[name=code]", "Enter")
    page.wait_for_url("**/account")


def test_signing_out_everywhere_ends_the_other_browser(door: Callable[..., Page], small: SmallConsole) -> None:
    small.account("tao")
    here, there = door(), door()
    for page in (here, there):
        fill_in(page, "tao")
        page.wait_for_url("**/inbox")
    here.goto("/account")
    assert here.locator("form[action*='/account/sessions/']").count() == 1
    here.click("text=Sign out everywhere")
    here.wait_for_url("**/sign-in")
    there.goto("/account")
    assert "/sign-in" in there.url


@pytest.mark.parametrize(
    ("locale", "theme", "width"),
    [("en-GB", "light", 1280), ("zh-CN", "dark", 390), ("zh-CN", "light", 1280), ("en-GB", "dark", 390)],
)
def test_every_page_of_it_can_be_read_by_everybody(
    door: Callable[..., Page],
    small: SmallConsole,
    axe: Callable[..., list[dict[str, Any]]],
    locale: str,
    theme: str,
    width: int,
) -> None:
    name = f"axe{locale[:2]}{theme}{width}".lower()
    small.account(name)
    page = door(locale, theme, width)
    device(page)
    wrong = []

    def look(path: str = "") -> None:
        if path:
            page.goto(path)
        wrong.extend(f"{page.url}\n{told([one])}" for one in axe(page))
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong.extend([f"{page.url} is {wide} px too wide"] if wide > 0 else [])

    look()
    fill_in(page, name, "not the password")
    page.wait_for_selector(".refusal")
    look()
    fill_in(page, name)
    page.wait_for_url("**/inbox")
    for path in ("/account", "/account/password", "/account/prove", "/account/code", "/account/passkey"):
        look(path)
    page.click("form[data-passkey] button")
    page.wait_for_selector(".codes")
    look()
    look("/account")
    page.context.clear_cookies()
    page.goto("/sign-in")
    fill_in(page, name)
    page.wait_for_url("**/sign-in/second")
    look()
    assert not wrong, "\n\n".join(wrong)


def test_the_institution_s_own_sign_in_lets_in_whom_it_knows(
    tmp_path: Path, provider: str, browser: Browser, door: Callable[..., Page]
) -> None:
    port, folder = free_port(), tmp_path / "console"
    back = f"http://localhost:{port}/sign-in/institution/back"
    client = httpx.post(f"{provider}/oauth2/clients", json={"redirect_uris": [back]}, trust_env=False).json()
    folder.mkdir()
    (folder / "oidc.secret").write_text(client["client_secret"])
    made = SmallConsole(
        folder,
        port,
        oidc_issuer=provider,
        oidc_client_id=client["client_id"],
        oidc_client_secret_file="oidc.secret",
        oidc_label="County 县医院 (fictional)",
    )
    try:
        made.people.accounts.add("wen", "wen (fictional)", "", [Grant("county")], outside=(provider, SUBJECT))
        made.start()
        page = door(base=made.settings.url)
        page.goto("/sign-in?return_to=/account")
        page.click("text=Sign in at County")
        page.wait_for_url(f"{provider}/**")
        page.click(f"button[value={SUBJECT}]")
        page.wait_for_url("**/account")
        assert "you sign in at your institution" in page.inner_text("main")
        page.context.clear_cookies()
        page.goto("/sign-in/institution")
        page.fill("input[name=sub]", "employee-8")
        page.press("input[name=sub]", "Enter")
        page.wait_for_selector(".refusal")
        assert "no account here is bound to you" in page.inner_text(".refusal")
        page.goto("/sign-in/institution")
        page.click("text=Deny")
        page.wait_for_selector(".refusal")
        page.goto("/account")
        assert "/sign-in" in page.url
    finally:
        made.close()
