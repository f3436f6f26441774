"""What labcap says of itself: the help, the man page and the shells' completions agree with each
other, and with the options that are taken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from calls import DEADLINE, Argument, Labcap

COMMANDS = ["record", "flows", "show", "watch", "check", "annotate"]
INSTALLED = {
    "bin/labcap": 0o755,
    "share/man/man1/labcap.1": 0o644,
    "share/bash-completion/completions/labcap": 0o644,
    "share/zsh/site-functions/_labcap": 0o644,
    "share/fish/vendor_completions.d/labcap.fish": 0o644,
}
SHELLS = ["bash", "zsh", "fish"]
BASH = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_labcap
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
source $argv[1]
complete -C "$argv[2..]"
"""
# zsh completes in its line editor only: in a shell on a pseudo-terminal, told what it would add.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($1 \\$fpath)" '
autoload -Uz compinit && compinit -u -D
function compadd {
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return }
    local -a hits
    local hit
    builtin compadd -A hits "$@"
    for hit in $hits; do print -r -- "<hit>$hit"; done
}
function tell { _main_complete; print -r -- "<end>" }
zle -C tell complete-word tell
bindkey "^I" tell
print -r -- "<begin"">"'
zpty -r shell unused "*<begin>*"
shift
zpty -w -n shell "$*"$'\\t'
zpty -r shell offered "*<end>*"
print -r -- $offered
"""

Complete = Callable[..., list[str]]


@pytest.fixture(scope="session")
def folder(labcap_binary: Path) -> Path:
    """Where labcap, the man page and the completions are built."""
    return labcap_binary.parent


def run(*command: Argument, **options: Any) -> str:
    """What a program prints, if it does not complain."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True,
                          **options)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def complete(folder: Path, tmp_path: Path) -> Complete:
    """What a shell offers for the last of the words."""

    def offered(shell: str, *words: str, cwd: Optional[Path] = None) -> list[str]:
        completion = folder / f"build/labcap.{shell}"
        if shell == "bash":
            said = run("bash", "--norc", "-c", BASH, "bash", completion, *words, cwd=cwd)
            return said.split("\n")[:-1] if said != "\n" else []
        if shell == "fish":
            said = run("fish", "--no-config", "-c", FISH, completion, *words,
                       env={**os.environ, "HOME": str(tmp_path)})
            return [line.split("\t")[0] for line in said.splitlines()]
        functions = tmp_path / "functions"
        functions.mkdir(exist_ok=True)
        shutil.copy(completion, functions / "_labcap")
        said = run("zsh", "-f", "-c", ZSH, "zsh", functions, *words,
                   env={**os.environ, "TERM": "dumb"})
        return re.findall(r"<hit>(.*?)\r*\n", said)

    return offered


def make(folder: Path, *targets: str) -> None:
    """Run make in labcap's folder, untouched by a make around the tests."""
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("MAKEFLAGS", "MFLAGS", "PREFIX", "DESTDIR")}
    subprocess.run(["make", "-s", "-C", folder, *targets], env=environment, timeout=60, check=True)


def help_of(labcap: Labcap, command: str) -> str:
    done = labcap(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    return str(done.stdout)


def helped(labcap: Labcap, command: str) -> set[str]:
    """The options in a command's help, each with its value: '-s SNAPLEN'."""
    found = re.findall(r"^  (-.*?)(?:  .*)?$", help_of(labcap, command), re.MULTILINE)
    return set(found) - {"-h"}


def in_the_man_page(folder: Path, command: str) -> set[str]:
    page = (folder / "labcap.1").read_text()
    section = page.split(f".SS labcap {command}\n")[1].split("\n.S")[0]
    _, section = (".YS\n" + section).rsplit(".YS\n", 1)
    tags = re.findall(r"^\.TP .*\n(.*)$", section, re.MULTILINE)
    return {re.sub(r"\\f[BIR]", "", tag).replace("\\-", "-") for tag in tags}


def flags(options: set[str]) -> set[str]:
    return {option.split()[0] for option in options}


# ---- One source


def test_the_help_names_every_command(labcap: Labcap) -> None:
    done = labcap("--help")
    assert done.returncode == 0
    assert re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_man_page_tell_the_same_options(
    labcap: Labcap, folder: Path, command: str
) -> None:
    assert in_the_man_page(folder, command) == helped(labcap, command)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_that_help_tells_are_those_that_are_taken(
    labcap: Labcap, command: str
) -> None:
    options = flags(helped(labcap, command))
    letters = [f"-{letter}" for letter in "abcdefgijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for option in {*letters, *options, "--all", "--json", "--snaplen", "--ready-fd"}:
        said = labcap(command, option).stderr
        refused = "invalid option" in said or "unrecognized option" in said
        assert refused == (option not in options), option


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_has_a_value_where_the_help_shows_one(labcap: Labcap, command: str) -> None:
    for option in helped(labcap, command):
        said = labcap(command, option.split()[0]).stderr
        assert ("requires an argument" in said) == (" " in option), option


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_shell_offers_every_option(
    labcap: Labcap, complete: Complete, shell: str, command: str
) -> None:
    options = flags(helped(labcap, command)) | {"-h", "--help"}
    assert set(complete(shell, "labcap", command, "-")) == options


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usage_begins_the_help_and_a_complaint(labcap: Labcap, command: str) -> None:
    usage = help_of(labcap, command).split("\n\n")[0]
    done = labcap(command, "--no-such-option")
    assert done.returncode == 2
    assert done.stderr.endswith(usage + "\n")
    assert usage.startswith(f"usage: labcap {command} ")
    assert flags(set(re.findall(r"-[\w-]+", usage))) == flags(helped(labcap, command))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_fits_a_terminal(labcap: Labcap, command: str) -> None:
    said = labcap(*command.split(), "--help").stdout
    assert max(map(len, said.splitlines())) <= 80
    assert not [line for line in said.splitlines() if line != line.rstrip()]


# ---- The man page


def formatted(folder: Path) -> str:
    """The page as a terminal shows it; a warning of groff fails."""
    done = subprocess.run(
        ["groff", "-man", "-t", "-ww", "-Tascii", "-P-c", folder / "labcap.1"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return re.sub(".\b", "", done.stdout)


def test_the_man_page_is_formatted_without_a_warning(folder: Path) -> None:
    page = formatted(folder)
    for heading in ("NAME", "SYNOPSIS", "COMMANDS", "TRACES", "EXIT STATUS", "EXAMPLES"):
        assert f"\n{heading}\n" in page
    assert "@" not in page


def test_the_man_page_has_every_exit_status(labcap: Labcap, folder: Path) -> None:
    rows = re.findall(r"^(\d)\tT\{\n(.*)\nT\}\tT\{\n((?:.*\n)*?)T\}",
                      (folder / "labcap.1").read_text(), re.MULTILINE)
    listed = {(number, command): " ".join(meaning.split())
              for number, commands, meaning in rows for command in commands.split(", ")}
    told = {}
    for command in COMMANDS:
        text = " ".join(help_of(labcap, command).split("Exit status: ")[1].split())
        for number, meaning in re.findall(r"(\d) (.*?)(?:;(?= \d )|\.$)", text):
            told[number, command] = meaning
    assert listed == told
    assert {number for number, _ in listed} == {"0", "1", "2", "3"}


# ---- The shells


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_offers_the_commands(complete: Complete, shell: str) -> None:
    assert set(complete(shell, "labcap", "")) >= set(COMMANDS)
    assert complete(shell, "labcap", "fl") == ["flows"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_offers_what_may_stand_behind_an_option(complete: Complete, shell: str) -> None:
    assert sorted(complete(shell, "labcap", "show", "t", "--color", "a")) == ["always", "auto"]
    assert "lo" in complete(shell, "labcap", "watch", "-i", "")
    assert complete(shell, "labcap", "record", "-s", "") == []


def test_bash_offers_files_with_any_name(complete: Complete, tmp_path: Path) -> None:
    names = ["t.pcap", "t one.pcap", "t$(touch made).pcap"]
    for name in names:
        (tmp_path / name).touch()
    assert sorted(complete("bash", "labcap", "flows", "t", cwd=tmp_path)) == sorted(names)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)


# ---- Installing


def test_it_is_installed_below_a_prefix_and_removed(folder: Path, tmp_path: Path) -> None:
    top = tmp_path / "a b"
    make(folder, "install", f"PREFIX={top}")
    files = [path for path in top.rglob("*") if path.is_file()]
    assert {str(p.relative_to(top)): p.stat().st_mode & 0o777 for p in files} == INSTALLED
    done = subprocess.run([top / "bin/labcap", "--help"], capture_output=True, timeout=30,
                          check=True)
    assert done.stdout.startswith(b"usage: labcap ")
    make(folder, "uninstall", f"PREFIX={top}")
    assert [path for path in top.rglob("*") if path.is_file()] == []


def test_a_packager_puts_a_root_before_the_prefix(folder: Path, tmp_path: Path) -> None:
    make(folder, "install", "PREFIX=/opt/lab", f"DESTDIR={tmp_path}")
    assert (tmp_path / "opt/lab/bin/labcap").is_file()
