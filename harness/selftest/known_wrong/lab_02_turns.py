"""Lab 02: the conversation in turns made wrong, turn_server and turn_client."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "02-p2p-chat"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "lines.c", base: str = "",
) -> KnownWrong:
    """A wrong PROGRAM, caught by test_turns_KILLED_BY, or by its own test_turn_..."""
    if killed_by.startswith(program):
        test = f"test_{killed_by}"
    else:
        test = f"test_turns_{killed_by}"
        if not killed_by.startswith("of_the_pair"):
            test += f"[{program}]"
    return KnownWrong(f"{program}-{name}", fault, program, edits, test, cause, base,
                      f"{program}.c" if base else file)


GETLINE = "getline(&line->text, &line->size, source)"
AFTER_READING = "    line->len = (size_t)n;\n    /* END STEP 3;"
PRINTED = "fwrite(line->text, 1, line->len, stdout) < line->len"
NO_NEWLINE = "    if (line->text[line->len - 1] != '\\n')"
SENT = "send_all(conn_fd, line->text, line->len)"
CLIENT_SENDS = "        send_line(conn_fd, &line);\n"
SERVER_PRINTS = "        print_line(&line);\n"
BY_EXIT = "!is_word(&line, \"exit\")"
BY_STOP = "is_word(&line, \"stop\")"
STDLIB_H = "#include <stdlib.h>\n"

ONE_SHORT_READ = (
    (GETLINE, "(line->text == NULL ? line->text = malloc(1024) : 0,\n"
     "        fgets(line->text, 1024, source) == NULL ? -1 : (ssize_t)strlen(line->text))"),
    ("#include <string.h>", "#include <string.h>\n#include <stdlib.h>"),
)
ONE_RECV = (
    ("        source->used += n > 0 ? (size_t)n : 0;\n", "        source->used += (size_t)n;\n"
     "        if (source->fd != STDIN_FILENO)\n            return source->used;\n"),
)

# -- Lines ------------------------------------------------------------------------

LINES = [
    wrong(
        "turn_client", "takes-a-recv-for-a-line", "one read, no loop",
        "wait_for_the_end_of_a_line", "single-read", *ONE_RECV, base="turns-own_buffer",
    ),
    wrong(
        "turn_client", "prints-two-lines-in-one-turn", "one read taken for a line",
        "keep_a_second_line_for_the_next_turn", "out-of-turn", *ONE_RECV,
        base="turns-own_buffer",
    ),
    wrong(
        "turn_client", "forgets-what-follows-a-line", "the last lines lost",
        "keep_a_second_line_for_the_next_turn", "lines-lost",
        ("    source->used -= len;\n", "    source->used = 0;\n"), base="turns-own_buffer",
    ),
    wrong(
        "turn_server", "new-stream-each-turn", "the last lines lost, in a stream's buffer",
        "keep_a_second_line_for_the_next_turn", "lines-lost",
        ("    while (read_line(peer, \"recv\", &line)) {",
         "    while (peer = fdopen(dup(conn_fd), \"r\"), read_line(peer, \"recv\", &line)) {"),
        file="turn_server.c",
    ),
    wrong(
        "turn_server", "prints-long-lines-in-turns", "a line split: a buffer of fixed size",
        "print_a_long_line_whole", "lines-mixed", *ONE_SHORT_READ,
    ),
    wrong(
        "turn_client", "sends-long-lines-in-turns", "a line split: a buffer of fixed size",
        "send_a_long_line_whole", "lines-mixed", *ONE_SHORT_READ,
    ),
    wrong(
        "turn_server", "prints-a-string", "data handled as a C string (cut at NUL)",
        "carry_every_byte_value", "c-string",
        (PRINTED, "fputs(line->text, stdout) == EOF"),
    ),
    wrong(
        "turn_client", "sends-a-string", "data handled as a C string (cut at NUL)",
        "carry_every_byte_value", "c-string",
        (SENT, "send_all(conn_fd, line->text, strlen(line->text))"),
    ),
    wrong(
        "turn_client", "sends-no-carriage-return", "a line end of two bytes is sent as one",
        "carry_every_byte_value", "messages",
        ("    if (line->text[line->len - 1] != '\\n')\n        line->text[line->len++] = '\\n';",
         "    if (line->text[line->len - 1] == '\\n')\n        line->len--;\n"
         "    if (line->len > 0 && line->text[line->len - 1] == '\\r')\n        line->len--;\n"
         "    line->text[line->len++] = '\\n';"),
    ),
    wrong(
        "turn_client", "drops-empty-lines", "a line lost",
        "take_an_empty_line_for_a_line", "lines-lost",
        (CLIENT_SENDS, "        while (line.len == 1)\n"
         "            if (!read_line(stdin, \"stdin\", &line))\n                return;\n"
         + CLIENT_SENDS), file="turn_client.c",
    ),
    wrong(
        "turn_server", "wants-a-newline-at-the-end", "the last line lost",
        "print_a_last_line_without_newline", "lines-lost",
        (AFTER_READING, "    if (line->text[n - 1] != '\\n')\n        return false;\n"
         + AFTER_READING),
    ),
    wrong(
        "turn_server", "stdout-not-flushed", "stdout not flushed",
        "print_a_line_at_once", "stdout-not-flushed",
        ("        || fflush(stdout) == EOF)", "        || ferror(stdout))"),
    ),
    wrong(
        "turn_client", "full-disk-is-a-success", "wrong exit status",
        "turn_client_says_that_stdout_is_full", "exit-status",
        ("        die(\"stdout\");", "        clearerr(stdout);"),
    ),
    wrong(
        "turn_client", "sends-no-newline", "the last line is sent without its newline",
        "end_a_last_line_with_a_newline", "messages",
        (NO_NEWLINE, "    if (false)"),
    ),
    wrong(
        "turn_server", "sends-no-newline-at-all", "lines are sent without their newlines",
        "send_a_line_at_once", "messages",
        (NO_NEWLINE, "    line->len -= line->text[line->len - 1] == '\\n';\n    if (false)"),
    ),
    wrong(
        "turn_server", "sends-a-fixed-length", "a fixed length sent instead of the bytes read",
        "send_a_line_at_once", "fixed-length",
        (SENT, "send_all(conn_fd, memset(memcpy((char[512]){\"\"}, line->text, line->len)\n"
         "                         + line->len, 0, 512 - line->len) - line->len, 512)"),
    ),
    wrong(
        "turn_server", "forgets-what-send-did-not-take", "partial `write` not continued",
        "wait_for_a_slow_reader", "partial-write",
        (SENT, "send(conn_fd, line->text, line->len, MSG_DONTWAIT)"),
    ),
]

# -- Turns ------------------------------------------------------------------------

TURNS = [
    wrong(
        "turn_client", "sends-two-lines-a-turn", "speaks when it is the peer's turn",
        "alternate", "out-of-turn",
        (CLIENT_SENDS, CLIENT_SENDS + "        if (read_line(stdin, \"stdin\", &line))\n"
         "            send_line(conn_fd, &line);\n"), file="turn_client.c",
    ),
    wrong(
        "turn_server", "speaks-first", "the server begins",
        "alternate", "out-of-turn",
        ("    while (read_line(peer, ", "    if (read_line(stdin, \"stdin\", &line))\n"
         "        send_line(conn_fd, &line);\n    while (read_line(peer, "),
        file="turn_server.c",
    ),
    wrong(
        "turn_client", "hears-first", "both sides wait for the other's first line",
        "send_a_line_at_once", "no-answer",
        ("    while (read_line(stdin, ", "    if (read_line(peer, \"recv\", &line))\n"
         "        print_line(&line);\n    while (read_line(stdin, "), file="turn_client.c",
    ),
    wrong(
        "turn_client", "sends-exit", "`exit` is sent",
        "turn_client_ends_with_exit[exit]", "messages",
        (" && " + BY_EXIT, ""),
        (CLIENT_SENDS, CLIENT_SENDS + "        if (is_word(&line, \"exit\"))\n"
         "            break;\n"), file="turn_client.c",
    ),
    wrong(
        "turn_client", "wants-exit-with-a-newline", "`exit` without newline is sent",
        "turn_client_ends_with_exit[exit-without-newline]", "messages",
        (BY_EXIT, "(line.len != 5 || !is_word(&line, \"exit\"))"), file="turn_client.c",
    ),
    wrong(
        "turn_client", "takes-exits-for-exit", "another line is taken for `exit`",
        "turn_client_knows_exit_from_other_lines", "messages",
        (BY_EXIT, "strncmp(line.text, \"exit\", 4) != 0"),
        (STDLIB_H, STDLIB_H + "#include <string.h>\n"), file="turn_client.c",
    ),
    wrong(
        "turn_client", "compares-strings", "data handled as a C string: `exit` up to NUL",
        "turn_client_knows_exit_from_other_lines", "messages",
        (BY_EXIT, "(strcspn(line.text, \"\\n\") != 4 || strncmp(line.text, \"exit\", 4) != 0)"),
        (STDLIB_H, STDLIB_H + "#include <string.h>\n"), file="turn_client.c",
    ),
    wrong(
        "turn_client", "obeys-stop", "`stop` ends it at the client, too",
        "turn_client_knows_exit_from_other_lines", "messages",
        (BY_EXIT, BY_EXIT + " && !is_word(&line, \"stop\")"), file="turn_client.c",
    ),
    wrong(
        "turn_server", "does-not-print-stop", "`stop` is not printed",
        "turn_server_ends_at_stop", "messages",
        (SERVER_PRINTS, "        if (is_word(&line, \"stop\"))\n            break;\n"
         + SERVER_PRINTS), file="turn_server.c",
    ),
    wrong(
        "turn_server", "goes-on-after-stop", "`stop` does not end it",
        "turn_server_ends_at_stop", "messages",
        (BY_STOP + " || ", ""), file="turn_server.c",
    ),
    wrong(
        "turn_server", "takes-stops-for-stop", "another line is taken for `stop`",
        "turn_server_knows_stop_from_other_lines", "messages",
        (BY_STOP, "strncmp(line.text, \"stop\", 4) == 0"),
        (STDLIB_H, STDLIB_H + "#include <string.h>\n"), file="turn_server.c",
    ),
    wrong(
        "turn_server", "stop-is-a-failure", "wrong exit status",
        "turn_server_ends_at_stop", "exit-status",
        ("    hang_up(conn_fd);\n    return 0;", "    hang_up(conn_fd);\n    return 1;"),
        file="turn_server.c",
    ),
    wrong(
        "turn_client", "end-of-file-is-a-failure", "wrong exit status",
        "end_when_the_peer_closes", "exit-status",
        ("        if (!read_line(peer, \"recv\", &line))\n            break;",
         "        if (!read_line(peer, \"recv\", &line))\n            exit(1);"),
        file="turn_client.c",
    ),
    wrong(
        "turn_server", "waits-after-the-clients-fin", "does not end at the end of file",
        "end_when_the_peer_closes", "slow-end",
        ("    free(line.text);", "    while (read_line(stdin, \"stdin\", &line))\n"
         "        ;\n    free(line.text);"),
        file="turn_server.c",
    ),
    wrong(
        "turn_client", "reset-is-a-success", "wrong exit status",
        "end_with_status_1_when_reset_while_listening", "exit-status",
        ("        die(what);", "        exit(0);"),
        ("#include <string.h>", "#include <string.h>\n#include <stdlib.h>"),
    ),
    wrong(
        "turn_server", "killed-by-sigpipe", "killed by SIGPIPE",
        "outlive_sigpipe", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"), file="net.c",
    ),
    wrong(
        "turn_client", "unsent-line-is-a-success", "wrong exit status",
        "end_with_status_1_when_reset_while_speaking", "exit-status",
        ("        die(\"send\");", "        _exit(0);"),
    ),
    wrong(
        "turn_client", "meets-a-gone-peer-with-failure", "wrong exit status",
        "end_when_the_peer_closed_meanwhile", "exit-status",
        ("            return;\n        } else {",
         "            exit(heard.ended);\n        } else {"),
        base="turns-poll",
    ),
    wrong(
        "turn_client", "looks-every-10-ms", "busy waiting",
        "wait_without_using_the_processor", "busy-wait",
        ("poll(fds, 2, -1) < 0", "poll(fds, 2, 10) <= 0"), base="turns-poll",
    ),
    wrong(
        "turn_client", "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "go_on_after_being_stopped", "eintr",
        ("    converse(conn_fd, peer);", "    struct timeval hour = { 3600, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n"
         "    converse(conn_fd, peer);"),
        (STDLIB_H, STDLIB_H + "#include <sys/socket.h>\n#include <sys/time.h>\n"),
        file="turn_client.c",
    ),
    wrong(
        "turn_server", "hears-no-signal-in-a-conversation", "SIGTERM does not end it",
        "turn_server_ends_by_a_signal[SIGTERM]", "slow-end",
        ("    converse(conn_fd, peer);", "    signal(SIGTERM, SIG_IGN);\n"
         "    converse(conn_fd, peer);"),
        (STDLIB_H, "#include <signal.h>\n" + STDLIB_H), file="turn_server.c",
    ),
]

# -- At terminals, both together, with ncat -------------------------------------------

TOGETHER = [
    wrong(
        "turn_client", "reads-on-after-ctrl-d", "end of file at a terminal is not obeyed",
        "are_taken_at_a_terminal", "descriptor-leak",
        ("    ssize_t n = " + GETLINE + ";", "    ssize_t n;\n"
         "    while ((n = " + GETLINE + ") < 0\n"
         "           && isatty(fileno(source)))\n        clearerr(source);"),
    ),
    wrong(
        "turn_client", "drops-what-was-typed-ahead", "a line lost",
        "of_the_pair_at_terminals", "lines-lost",
        ("        print_line(&line);\n", "        print_line(&line);\n"
         "        tcflush(0, TCIFLUSH);\n"),
        (STDLIB_H, STDLIB_H + "#include <termios.h>\n"), file="turn_client.c",
    ),
    wrong(
        "turn_server", "goes-on-after-a-clients-stop", "`stop` does not end it",
        "of_the_pair[stop]", "slow-end",
        (BY_STOP + " || ", ""), file="turn_server.c",
    ),
    wrong(
        "turn_server", "greets-its-client", "something of its own to the peer",
        "turn_server_talks_with_ncat", "messages",
        ("    converse(conn_fd, peer);",
         "    send_all(conn_fd, \"Welcome!\\n\", 9);\n    converse(conn_fd, peer);"),
        file="turn_server.c",
    ),
    wrong(
        "turn_client", "prints-its-own-lines", "something of its own on stdout",
        "turn_client_talks_with_ncat", "messages",
        (CLIENT_SENDS, CLIENT_SENDS + "        print_line(&line);\n"), file="turn_client.c",
    ),
]

# -- Closing ----------------------------------------------------------------------

CLOSING = [
    wrong(
        "turn_server", "closes-with-input-unread", "closed with input unread (RST)",
        "turn_server_ends_without_a_reset", "unread-input-rst",
        ("    alarm(PATIENCE);", "    return;"),
    ),
    wrong(
        "turn_client", "closes-with-input-unread", "closed with input unread (RST)",
        "turn_client_ends_without_a_reset", "unread-input-rst",
        ("    alarm(PATIENCE);", "    return;"),
    ),
    wrong(
        "turn_client", "linger-0", "`SO_LINGER` 0 (RST)",
        "end_at_the_end_of_stdin", "linger-rst",
        ("    alarm(PATIENCE);", "    struct linger now = { 1, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         "    _exit(0);"),
    ),
    wrong(
        "turn_client", "never-closes", "descriptor never closed (no FIN)",
        "end_at_the_end_of_stdin", "descriptor-leak",
        ("    alarm(PATIENCE);", "    for (;;)\n        pause();"),
    ),
    wrong(
        "turn_server", "hangs-up-at-once", "nothing is ever read",
        "turn_server_waits_for_what_its_client_says", "ended-early",
        ("    converse(conn_fd, peer);", "    (void)converse;"), file="turn_server.c",
    ),
    wrong(
        "turn_server", "silent-client-is-an-error", "wrong exit status",
        "turn_server_ends_with_a_silent_client", "exit-status",
        ("    hang_up(conn_fd);\n    return 0;", "    hang_up(conn_fd);\n    return 1;"),
        file="turn_server.c",
    ),
]

KNOWN_WRONG = LINES + TURNS + TOGETHER + CLOSING
