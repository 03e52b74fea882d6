"""``xinglin demo``: a whole space on this machine, one study, its proof, and what must not work.

1. hub, regulator's witness and four hospitals start as real processes; every hospital witnesses too;
2. each hospital's records, in its own format, become canonical tables; they are published, and agreements with a
study are signed; 3. the study runs; 4. its receipt is
verified offline; 5. seven forbidden things are tried and each refusal is shown; 6. a console with a seat for every
role answers, and when the demo stays up, something waits there for everybody.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec

from xinglin.cli.demo_console import DemoConsole, sign_in_works
from xinglin.cli.demo_people import People
from xinglin.cli.demo_refusals import show_refusals
from xinglin.cli.demo_space import TITLE, Demo, Say
from xinglin.cli.demo_story import tell_story
from xinglin.cli.demo_waiting import fill_inboxes, give_pack
from xinglin.cli.local_space import DidNotStart


def run_demo(
    *,
    exit_at_end: bool,
    json_file: Path | None = None,
    data: Path | None = None,
    folder: Path | None = None,
    keep: bool = False,
    say: Say = print,
) -> dict[str, Any]:
    """Run the demo; the study's result as plain values (also written to ``json_file``).

    ``data``: the folder of the four real hospitals' files. Without ``exit_at_end`` the space stays up until Ctrl-C.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="xinglin-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    demo = Demo(place, say, data)
    people: People | None = None
    try:
        demo.start()
        demo.connect()
        give_pack(demo)
        demo.publish()
        demo.enrol()
        study = demo.main_study()
        outcome = tell_story(demo, study)
        outcome["refusals"] = show_refusals(demo, study)
        people = None if exit_at_end else _people(demo)
        console = _console(demo, people)
        outcome["console"] = console.url
        outcome["memory_bytes"] = demo.local.memory_bytes()
        outcome["seconds"] = demo.seconds
        demo.step(f"done; all processes together use {outcome['memory_bytes'] / 1e6:.0f} MB (PSS)")
        if json_file is not None:
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
        if not exit_at_end:
            _stay(demo, console)
        return outcome
    finally:
        if people is not None:
            people.close()
        demo.close()
        if folder is None and not keep:
            shutil.rmtree(place, ignore_errors=True)


def _people(demo: Demo) -> People:
    """Committee, reviewers, and something to do for everybody."""
    people = People(demo.local)
    people.found_committee()
    people.appoint()
    fill_inboxes(demo, people)
    return people


def _console(demo: Demo, people: People | None) -> DemoConsole:
    """The console's process, looked at from outside; raises ``DidNotStart`` where nobody can sign in."""
    console = DemoConsole(demo.local)
    console.found(people)
    console.start()
    if not sign_in_works(console):
        raise DidNotStart("Nobody can sign in at the console.", why=demo.local.log_of("console")[-2000:])
    demo.step(f"the console answers at {console.url}, and lets its researcher in")
    return console


def _stay(demo: Demo, console: DemoConsole) -> None:
    account = demo.folder / "researcher"
    demo.say("")
    demo.say(f"The console: {console.told()}")
    demo.say("")
    demo.say("All of them are fictional; the passwords are this demo's alone. The researcher's application and a vote,")
    demo.say("agreements, a result to review and more wait in the inboxes.")
    demo.say("")
    demo.say(f"The space stays up. Try it:  import xinglin; space = xinglin.connect({str(account)!r})")
    demo.say(f"                             study = space.study({TITLE!r})")
    demo.say("End it with Ctrl-C.")
    ended = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: ended.set())
    ended.wait()
