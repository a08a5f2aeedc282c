from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2

from interlock.api.links import Links
from interlock.core.principal import FIRST_TENANT
from interlock.ledger.store import tenant_chain
from interlock.private_files import deployment_key
from tests.cli.shell import Shell


def opened(shell: Shell, url: str) -> str:
    """Whom a link would sign in."""
    [text] = parse_qs(urlsplit(url).query)["link"]
    key = deployment_key(shell.folder / ".interlock" / "deployment.key")
    return Links(key, shell.clock, os.urandom).open(text).principal.id


def test_a_link_is_of_whoever_types_it_and_for_where_the_console_is(shell: Shell) -> None:
    shell.keys["nina"] = shell.json("keys", "add", "nina", "--role", "approver", who="root")["key"]
    said = shell.json("console", "link", who="nina")
    assert said["url"].startswith("http://127.0.0.1:8722/sign-in?link=")
    assert (said["person"], opened(shell, said["url"])) == ("nina", "nina")
    assert shell.json("console", "link", "--port", "99", who="nina")["url"].startswith("http://127.0.0.1:99/")
    file = shell.folder / "interlock.toml"
    file.write_text(file.read_text() + '[console]\npublic_url = "https://interlock.example/"\n')
    said = shell.json("console", "link", who="nina")
    assert said["url"].startswith("https://interlock.example/sign-in?link=")
    assert "signs nina in once, within 15 minutes" in shell.run("console", "link", who="nina").out


def test_an_agents_key_makes_no_link_and_nobodys_neither(shell: Shell) -> None:
    """T24: a key with the scope tools, whoever's it is."""
    assert shell.json("console", "link", who="root", code=5)["error"]["code"] == "auth.scope"
    assert shell.run("console", "link", key="").code == 5
    assert shell.run("console", "link", key="ilk_wrong").code == 5


def test_a_server_that_starts_prints_a_link_that_signs_its_administrator_in_once(shell: Shell) -> None:
    """Design: embedded default. Whoever reads what it prints on this machine is in; nobody else is, and none twice."""
    shell.keys["ada"] = shell.json("keys", "add", "ada", "--role", "admin", who="root")["key"]
    interlock = str(Path(sys.executable).with_name("interlock"))
    with subprocess.Popen(
        [interlock, "serve", "--port", "0", "--json"], cwd=shell.folder, stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            said = [json.loads(server.stdout.readline()) for _ in range(2)]
            url, link = said[1]["console"], said[1]["sign_in"]
            assert said[0]["url"] == f"{url}/mcp"
            with httpx2.Client(trust_env=False, headers={"origin": url}, timeout=20) as http:
                assert http.get(url).status_code == 401
                assert "once" in http.get(link).text
                [text] = parse_qs(urlsplit(link).query)["link"]
                answers = [http.post(f"{url}/sign-in/link", data={"link": text}) for _ in range(2)]
                assert [answer.status_code for answer in answers] == [303, 403]
                cookie = answers[0].headers["set-cookie"].partition(";")[0]
                page = http.get(url, headers={"cookie": cookie})
                assert (page.status_code, ">ada<" in page.text) == (200, True)
        finally:
            server.kill()


def test_somebody_is_signed_out_everywhere_by_themselves_or_by_an_administrator(shell: Shell) -> None:
    assert shell.json("console", "sign-out", "gina", who="root") == {"signed_out": "gina"}
    assert shell.run("console", "sign-out", who="maria").out == "maria is signed out everywhere.\n"
    assert shell.json("console", "sign-out", "root", who="maria", code=5)["error"]["code"] == "cli.role"
    said = [(event.fact.kind.value, event.fact.principal_id, event.fact.body["of"])
            for event in shell.events(tenant_chain(FIRST_TENANT))]  # fmt: skip
    assert said == [("session.ended", "root", "gina"), ("session.ended", "maria", "maria")]
