"""`lambdacap serve`: the project's API on this machine, anew with every saved change."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import requests

from lambdacap.operations.serve import matters
from tests import processes
from tests.command import Command
from tests.projects.folders import SHOUT, write
from tests.projects.mistakes import MISTAKES, OTHER, RUNTIME
from tests.projects.served import serving


def test_it_answers_as_the_api_does_and_ends(project: Command) -> None:
    with serving(project) as served:
        assert served.url.startswith("http://127.0.0.1:")
        answer = served.post("hello", times="2")
        assert (answer.text, answer.headers["content-type"]) == ('"HELLO HELLO"', "application/json")
        assert served.post("hello", times="many").json()["error"]["code"] == "invalid_parameter"
        page = requests.get(served.url, timeout=30)
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["cache-control"] == "no-store"
        assert (
            "text"
            in requests.get(f"{served.url}openapi.json", timeout=30).json()["components"]["schemas"]["Request"][
                "properties"
            ]
        )
        too_large = served.post("a" * 4_720_000)
        assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "too_large")
    assert served.process.returncode == 0
    assert "Traceback" not in "".join(served.said)
    assert "POST / 200" in "".join(served.said)
    assert processes.belonging_to(project.folder) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_others_are_refused(headers: dict[str, str], standing: str) -> None:
    answer = requests.post(standing, data="hello", headers={"Content-Type": "text/plain", **headers}, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_the_page_itself_may_ask(standing: str) -> None:
    headers = {"Content-Type": "text/plain", "Origin": standing.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert requests.post(standing, data="hello", headers=headers, timeout=30).text == '"HELLO"'


def test_a_saved_change_is_taken_up_a_broken_one_told_and_the_next_one_mends_it(project: Command) -> None:
    with serving(project) as served:
        assert served.post("hello").text == '"HELLO"'
        for name in ("a syntax error in another module", "an exception in setup", "os._exit in setup", "no hint"):
            mistake = MISTAKES[name]
            write(project.folder, {"predictor.py": mistake.code, **OTHER})
            broken = served.until(lambda answer: answer.status_code == 500)
            assert mistake.told[0] in broken.json()["error"]["message"]
            assert served.says(mistake.told[0])
            page = requests.get(served.url, headers={"Accept": "text/html"}, timeout=30)
            assert (page.status_code, page.headers["content-type"]) == (500, "text/plain; charset=utf-8")
            assert mistake.told[0] in page.text
            write(project.folder, {"predictor.py": SHOUT.replace("upper", "title")})
            assert served.until(lambda answer: answer.status_code == 200).text == '"Hello"'
    said = "".join(served.said)
    assert not any(words in said for words in RUNTIME), said


@pytest.mark.slow
def test_a_change_does_not_wait_for_a_slow_start(project: Command) -> None:
    slow = "import time\nprint('loading')\ntime.sleep(50)\n"
    with serving(project) as served:
        assert served.post("hello").text == '"HELLO"'
        write(project.folder, {"predictor.py": slow + SHOUT})
        time.sleep(3)
        began = time.monotonic()
        write(project.folder, {"predictor.py": SHOUT.replace("upper", "title")})
        assert served.until(lambda answer: answer.text == '"Hello"')
        assert time.monotonic() - began < 30
    assert "error" not in "".join(served.said)


def test_a_mistake_in_predict_is_told_and_the_next_request_answered(project: Command) -> None:
    code = "import os\ndef predict(text: str) -> str:\n"
    code += "    return {'exit': lambda: os._exit(1), 'raise': lambda: [][1], 'ok': lambda: 'ok'}[text]()\n"
    write(project.folder, {"predictor.py": code})
    with serving(project) as served:
        assert "ended its process while it predicted" in served.post("exit").json()["error"]["message"]
        assert served.post("ok").text == '"ok"'
        raised = served.post("raise")
        assert raised.status_code == 500
        assert "predictor.py, line 3: IndexError: list index out of range" in raised.json()["error"]["message"]
        assert served.post("ok").text == '"ok"'
        assert served.says("predictor.py, line 3: IndexError")


@pytest.mark.slow
def test_lambdas_limits_are_told(project: Command) -> None:
    code = "import time\ndef predict(text: str) -> int:\n    time.sleep(60 if text == 'slow' else 0)\n"
    write(project.folder, {"predictor.py": code + "    return len(bytearray(200_000_000))\n"})
    with serving(project, "--timeout", 3, "--memory", 128) as served:
        slow = served.post("slow")
        assert (slow.status_code, slow.json()["error"]["code"]) == (504, "too_slow")
        assert "had not predicted within 3 s" in slow.json()["error"]["message"]
        assert served.post("large").text == "200000000"
        assert served.says("Lambda would have ended it at 128 (--memory)")


def test_ctrl_c_ends_an_answer_under_way(project: Command) -> None:
    write(
        project.folder,
        {"predictor.py": "import time\ndef predict(text: str):\n    print('slow')\n    time.sleep(300)\n"},
    )
    with serving(project) as served, socket.socket() as asked:
        host = served.url.removeprefix("http://").strip("/")
        asked.connect(("127.0.0.1", int(host.partition(":")[2])))
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\na"
        requests.get(f"{served.url}openapi.json", timeout=60)
        asked.sendall(head.encode())
        time.sleep(0.5)
    assert served.process.returncode == 0
    assert processes.belonging_to(project.folder) == []


def test_a_port_that_is_taken(project: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = project("serve", "--port", taken.getsockname()[1], code=1).stderr
    assert "cannot be listened on" in said
    assert "--port names another one" in said


def test_an_empty_folder_is_no_project(lambdacap: Command) -> None:
    assert "there is no predictor.py here" in lambdacap("serve", "--port", 0, code=1).stderr


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("predictor.py", True),
        ("weights/model.onnx", True),
        ("requirements.txt", True),
        (".predictor.py.swp", False),
        ("predictor.py~", False),
        ("4913", False),
        ("__pycache__/predictor.cpython-313.pyc", False),
        (".git/index", False),
        (".venv/lib/a.py", False),
    ],
)
def test_what_is_a_change(path: str, taken: bool) -> None:
    assert matters(Path("/p"), f"/p/{path}") is taken
