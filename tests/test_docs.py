"""The documentation agrees with the code. `make docs` builds the site and checks its links and anchors."""

import ast
import importlib.util
import re
import shlex
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from textwrap import indent

import pytest

from weclick.cli.fit import make_parser
from weclick.cli.main import COMMANDS, run
from weclick.modules.arms import ARMS

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "data/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
USER_PAGES = [name for name in TEXTS if name not in ("CHANGELOG.md", "ARCHITECTURE.md")]
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^ {4,}(weclick .*?)(?: +#.*)?$|`(weclick [^`]+)`", re.MULTILINE)


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "hooks" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_option_with_a_meaning(reference):
    rows = [line.strip("| ").split(" | ") for line in reference.options_reference().splitlines() if "`" in line[:4]]
    assert all(row[-1].strip() for row in rows)
    written = {row[0].strip("`-") for row in rows}
    hidden = {"help", "print_config", "arm"}
    options = {action.dest for action in make_parser()._actions if type(action).__name__ != "_ActionConfigLoad"}
    assert options - hidden == written - ARMS.keys()


def test_the_reference_states_types_ranges_and_defaults(reference):
    text = reference.options_reference()
    assert "| `data.clicks.held_out` | a number, from 0 to 1 | `0.1` |" in text
    assert "| `data.clips.sides` | one of past, both | `past` |" in text
    assert "| `data.root` | text | required |" in text
    assert "`memory.connected true`" in text  # of an arm


def test_the_reference_has_the_help_of_every_command(reference):
    text = reference.commands_reference()
    for name in COMMANDS:
        assert f"## weclick {name}\n" in text
    assert "usage: weclick clicks simulate ROOT [options]" in text


def test_the_reference_has_the_keys_of_the_page(reference):
    text = reference.keys_reference()
    assert "| Frames | `N` | every object has a point: done, go to the next frame |" in text
    assert text.count("\n") == reference.KEYS.read_text(encoding="utf-8").count('bind("') + 2


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_to_files_of_the_repository(page):
    links = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", TEXTS[page])
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


@cache
def options_of(*command):
    """Return the options that the help of a command lists, or None if there is no such command."""
    with redirect_stdout(StringIO()) as printed:
        status = run([*command, "--help", "all"])
    return set(re.findall(r"--([\w.]+)", printed.getvalue())) if status == 0 else None


def command_lines(text):
    """Yield the words of each command line in a page's code, after weclick; placeholders such as COMMAND are left out."""
    indented = _FENCED.sub(lambda block: indent(block[1], "    "), text)
    for line in _LINE.finditer(re.sub(r"\\\n *", "", indented)):
        words = shlex.split(line[1] or " ".join(line[2].split()))[1:]
        while words[:1] in (["--debug"], ["--import"]):
            words = words[2 if words[0] == "--import" else 1 :]
        if words and words[0].islower():
            yield words


@pytest.mark.parametrize("page", USER_PAGES)
def test_command_lines_name_commands_options_and_configs_that_exist(page):
    for words in command_lines(TEXTS[page]):
        part = words[:2] if words[0] in ("benchmark", "clicks", "data") else words[:1]
        if part[-1].isupper():
            continue
        known = options_of(*part)
        assert known is not None, words
        given = {word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")}
        assert given <= known | options_of("fit") | {"help"}, words
        for word in words:
            if re.fullmatch(r"(data|teacher|student|trainer)/\w+\.yaml", word):
                assert (ROOT / "configs" / word).exists(), words


def test_the_page_on_trainings_has_every_arm():
    section = TEXTS["docs/training.md"].partition("## Arms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(ARMS)


def messages_in_the_code():
    """Return all texts of the code, with … for what is filled in."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.js")]
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_troubleshooting_quotes_messages_of_the_code():
    headings = re.findall(r"^### (.*)$", TEXTS["docs/troubleshooting.md"], re.MULTILINE)
    quoted = [part.strip() for heading in headings for part in heading.split("…") if part.strip()]
    code = messages_in_the_code()
    assert [part for part in quoted if part not in code] == []
    assert len(headings) > 30
