"""Lab 01: a command line that is wrong in one way is taken, by each of the programs."""

from __future__ import annotations

from known_wrong import Edits, KnownWrong

LAB = "01-tcp-echo"

RULES = {
    "client": "test_client_explains_wrong_arguments[{}]",
    "hello_server": "test_closer_explains_wrong_arguments[hello_server-{}]",
    "prompt_server": "test_closer_explains_wrong_arguments[prompt_server-{}]",
    **{server: f"test_server_explains_wrong_arguments[{server}-{{}}]"
       for server in ("server", "server_fork", "server_thread", "server_poll")},
}

ALL_DIGITS = "text[strspn(text, \"0123456789\")] == '\\0'"
AS_NUMBER = "strtoul(text, NULL, 10) <= 65535"

PORTS: dict[str, tuple[str, Edits]] = {
    "port-65536": ("a port of 65536 is taken", (("<= 65535", "<= 65536"),)),
    "port--1": ("a negative port is taken", (
        ('strspn(text, "0123456789")', 'strspn(text, "-0123456789")'),
        (AS_NUMBER, "strtol(text, NULL, 10) <= 65535"))),
    "port-80x": ("what follows a port's digits is not looked at", (
        (ALL_DIGITS, 'strspn(text, "0123456789") > 0'),)),
    "port-2^32+4321": ("a port's number is cut to 32 bits", (
        (AS_NUMBER, "(unsigned)strtoul(text, NULL, 10) <= 65535"),)),
    "port-0xb26f": ("a port is read as C reads numbers", (
        ('strspn(text, "0123456789")',
         'strspn(text, text[1] == \'x\' ? "0123456789abcdefx" : "0123456789")'),
        (AS_NUMBER, "strtoul(text, NULL, 0) <= 65535"))),
    "port-+45998": ("a sign in front of a port is taken", (
        ('strspn(text, "0123456789")', 'strspn(text, "+0123456789")'),)),
    "port-empty": ("a port that is empty is taken", (("text[0] != '\\0' && ", ""),)),
}
"""By the test's word: the fault, and how net.c gets it."""

READ_OPTIONS, OWN_USAGE = "            right = false;", "        else\n            usage();"
SURPLUS = "    if (optind < argc)\n        usage();\n"
WORDS: dict[str, dict[str, tuple[str, tuple[str, str]]]] = {
    "unknown-option": {
        "client": ("client.c", (OWN_USAGE, OWN_USAGE.replace("else", "else if (option == 'p')"))),
        "prompt_server": ("prompt_server.c",
                          (OWN_USAGE, OWN_USAGE.replace("else", "else if (option == 'p')"))),
        "": ("net.c", (READ_OPTIONS, "            right = option != 'p';")),
    },
    "surplus-word": {
        "client": ("client.c", (SURPLUS, "")),
        "prompt_server": ("prompt_server.c", (SURPLUS, "")),
        "": ("net.c", ("!right || optind < argc", "!right")),
    },
}
"""By the test's word and by program, '' being all others: the file, and how it gets the fault."""


def takes(program: str, word: str, fault: str, file: str, edits: Edits) -> KnownWrong:
    name = f"{program}-takes-{word.replace('^', '-').replace('+', '-')}"
    return KnownWrong(name, fault, program, edits, RULES[program].format(word), "usage", file=file)


KNOWN_WRONG = [
    *(takes(program, word, fault, "net.c", edits)
      for program in RULES for word, (fault, edits) in PORTS.items()),
    *(takes(program, word, f"an {word.replace('-', ' ')} is passed over".replace("an s", "a s"),
            file, (edit,))
      for program in RULES for word, files in WORDS.items()
      for file, edit in [files.get(program, files[""])]),
]
