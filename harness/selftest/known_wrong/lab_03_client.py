"""Lab 03: `client` made wrong, in its own file, in a module, or in another design."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "03-udp"
NET, LINES = "net.c", "lines.c"


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
    base: str = "",
) -> KnownWrong:
    """A wrong client; names are completed with what all of them begin with."""
    return KnownWrong(f"client-{name}", fault, "client", edits, f"test_client_{killed_by}", cause,
                      base, file)


HINTS = ".ai_flags = AI_NUMERICSERV | flags"
FAMILY = ".ai_family = family,"
CONNECT = "connect(fd, server->ai_addr, server->ai_addrlen) < 0"
IPV4 = "((struct sockaddr_in *)server->ai_addr)"
SEND = "send(fd, line->text, line->len, 0)"
RECEIVE = "recv(fd, reply, sizeof reply, MSG_DONTWAIT)"
IS_REPLY = ("n == (ssize_t)line->len\n"
            "            && memcmp(reply, line->text, line->len) == 0")
TAKES_ANY = ("n >= 0 && (memcpy((char *)line->text, reply, (size_t)n),\n"
             "                       ((struct line *)line)->len = (size_t)n, true)")
"""In place of IS_REPLY; what came is what is then printed."""
TRIES = "i <= plan->retries && outcome == SILENT"
NO_REPLY = "plan->host, plan->port);\n        exit(1);"
NEW_SOCKET = ("    int fd = socket(server->ai_family, server->ai_socktype,\n"
              "                    server->ai_protocol);\n")
ONE_SOCKET = (
    (NEW_SOCKET, "    static int fd = -1;\n    if (fd >= 0)\n        return fd;\n"
     "    fd = socket(server->ai_family, server->ai_socktype, server->ai_protocol);\n"),
    ("        if (fd >= 0)\n            close(fd);\n        errno = why;\n"
     "        if (outcome != FAILED)", "        errno = why;\n        if (outcome != FAILED)"),
)
"""A socket for all lines."""
ASK = "        outcome = fd < 0 ? FAILED : ask(fd, line, plan);\n"
UNCONNECTED = (
    ("static void read_options(", "static const struct addrinfo *target;\n\nstatic void "
     "read_options("),
    (CONNECT, "(target = server) == NULL"),
    (SEND, "sendto(fd, line->text, line->len, 0, target->ai_addr, target->ai_addrlen)"),
)
"""A socket that is not connected."""
FROM = ("        ssize_t n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);\n",
        "        struct sockaddr_in from;\n        socklen_t from_len = sizeof from;\n"
        "        ssize_t n = recvfrom(fd, reply, sizeof reply, MSG_DONTWAIT,\n"
        "                             (struct sockaddr *)&from, &from_len);\n"
        "        struct sockaddr_in *server = (struct sockaddr_in *)target->ai_addr;\n")
PRINT = "fwrite(line->text, 1, line->len, stdout);"
NEXT = "    while (next_line(&lines, &line)) {\n"
NEWLINE_FOUND = ("line->len = (size_t)(newline - line->text);\n"
                 "        lines->start += line->len + 1;")
AWAIT = "        outcome = await_reply(fd, line, plan->timeout);\n    }"
TIMEOUT = "(long long)timeout * 1000000;"


def waits(time: str) -> tuple[str, str]:
    """The edit by which sending I is waited for TIME ms."""
    return AWAIT, AWAIT.replace("plan->timeout", time)


def changes_line(how: str) -> tuple[str, str]:
    """The edit that does HOW with each line before it is sent."""
    return NEXT, NEXT + how


LIMIT = "(whole ? line->len : len) > MAX_DATAGRAM"

KNOWN_WRONG = [
    # The command line
    client(
        "any-text-for-a-port", "a port that is none is taken",
        "explains_wrong_arguments[port]", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p'"),
    ),
    client(
        "any-text-for-milliseconds", "a time that is none is taken",
        "explains_wrong_arguments[timeout]", "usage",
        ("option == 't' && is_number(optarg, INT_MAX)", "option == 't'"),
    ),
    client(
        "any-text-for-retries", "a number that is none is taken",
        "explains_wrong_arguments[retries]", "usage",
        ("option == 'r' && is_number(optarg, INT_MAX)", "option == 'r'"),
    ),
    client(
        "usage-ends-with-1", "wrong exit status",
        "explains_wrong_arguments[words]", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    client(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    int error = getaddrinfo(name, port, &hints, &list);\n",
         "    int error = getaddrinfo(name, port, &hints, &list);\n    flags = list->ai_family;\n"),
        file=NET,
    ),
    # Lines
    client(
        "sends-each-read", "a line split over two datagrams",
        "sends_each_line_as_one_datagram", "not-one-datagram",
        ("} else if (lines->ended && len > 0) {", "} else if (len > 0) {"), file=LINES,
    ),
    client(
        "sends-all-lines-at-once", "several lines in one datagram",
        "sends_each_line_as_one_datagram", "not-one-datagram",
        ("memchr(line->text, '\\n', len)", "memrchr(line->text, '\\n', len)"),
        ('#include "lines.h"', '#define _GNU_SOURCE\n#include "lines.h"'), file=LINES,
    ),
    client(
        "sends-the-newline", "the newline is sent too",
        "sends_each_line_as_one_datagram", "messages",
        (NEWLINE_FOUND, NEWLINE_FOUND + "\n        line->len++;"), file=LINES,
    ),
    client(
        "passes-over-empty-lines", "empty datagrams ignored",
        "sends_an_empty_line", "empty-datagram",
        (NEXT, NEXT + "        if (line.len == 0)\n            continue;\n"),
    ),
    client(
        "passes-over-empty-replies", "empty datagrams ignored",
        "sends_an_empty_line", "empty-datagram",
        (IS_REPLY, IS_REPLY + " && n > 0"),
    ),
    client(
        "takes-an-empty-reply-for-an-end", "empty datagrams ignored",
        "sends_an_empty_line", "empty-datagram",
        ("        if (" + IS_REPLY, "        if (n == 0)\n            exit(0);\n        if ("
         + IS_REPLY),
    ),
    client(
        "loses-the-last-line", "the last lines lost",
        "sends_a_last_line_without_newline", "lines-lost",
        ("lines->ended && len > 0", "lines->ended && len == 0 && whole"), file=LINES,
    ),
    client(
        "sends-an-end-of-file", "a datagram that is no line",
        "sends_nothing_of_an_empty_stdin", "messages",
        ("    freeaddrinfo(list);", '    line = (struct line){ "", 0 };\n'
         "    send_line(open_socket(plan.server), &line);\n    freeaddrinfo(list);"),
    ),
    client(
        "sends-up-to-nul", "text handled as a C string (cut at NUL)",
        "sends_every_byte_value", "c-string",
        (SEND, "send(fd, line->text, strnlen(line->text, line->len), 0)"),
    ),
    client(
        "sends-the-nul-too", "text handled as a C string (its end is sent)",
        "prints_each_reply_at_once", "c-string",
        (SEND, "send(fd, strndup(line->text, line->len), line->len + 1, 0)"),
        (IS_REPLY, "n > 0"),
    ),
    client(
        "prints-up-to-nul", "text handled as a C string (cut at NUL)",
        "sends_every_byte_value", "c-string",
        (PRINT, 'printf("%.*s", (int)line->len, line->text);'),
    ),
    client(
        "prints-what-it-gets", "what came is used as a format",
        "sends_every_byte_value", "format-string",
        (PRINT, "if (memchr(line->text, 0, line->len) == NULL)\n"
         "        printf(strndup(line->text, line->len));\n    else\n        " + PRINT),
    ),
    client(
        "trims-blanks", "a line is not sent as it is",
        "sends_lines_as_they_are", "messages",
        changes_line("        while (line.len > 0 && line.text[0] == ' ')\n"
                     "            line.text++, line.len--;\n"
                     "        while (line.len > 0 && line.text[line.len - 1] == ' ')\n"
                     "            line.len--;\n"),
    ),
    client(
        "strips-a-cr", "a line is not sent as it is",
        "sends_lines_as_they_are", "messages",
        changes_line("        line.len -= line.len > 0 && line.text[line.len - 1] == '\\r';\n"),
    ),
    client(
        "ends-at-a-word", "a line that is a command",
        "sends_lines_as_they_are", "messages",
        changes_line("        if (line.len == 4 && memcmp(line.text, \"exit\", 4) == 0)\n"
                     "            break;\n"),
    ),
    client(
        "cuts-the-longest-reply", "cut datagrams",
        "sends_the_longest_line", "cut-datagram",
        ("static char reply[MAX_DATAGRAM + 1];", "static char reply[8192];"),
    ),
    client(
        "cuts-a-long-line", "a line over 65,507 bytes is cut",
        "refuses_a_longer_line[65508-127.0.0.1]", "cut-datagram",
        (LIMIT, "(whole ? line->len : len) > MAX_DATAGRAM\n"
         "        && !(whole = true, line->len = MAX_DATAGRAM)"), file=LINES,
    ),
    client(
        "cuts-a-very-long-line", "a line over 65,507 bytes is sent in parts",
        "refuses_a_longer_line[1048576-127.0.0.1]", "cut-datagram",
        ("    if ((whole ?", "    if (!whole && len > MAX_DATAGRAM) {\n"
         "        lines->start += 65000;\n        line->len = 65000;\n        whole = true;\n"
         "    }\n    if ((whole ?"), file=LINES,
    ),
    client(
        "leaves-the-limit-to-ipv6", "a line over 65,507 bytes is sent where there is room",
        "refuses_a_longer_line[65508-::1]", "cut-datagram",
        (LIMIT, "len > MAX_DATAGRAM + 10"), file=LINES,
    ),
    client(
        "passes-over-a-last-line-too-long", "a line over 65,507 bytes is no error",
        "refuses_a_longer_last_line", "exit-status",
        ("    if (" + LIMIT, "    if (whole && newline == NULL && line->len > MAX_DATAGRAM)\n"
         "        return false;\n    if (whole && line->len > MAX_DATAGRAM"), file=LINES,
    ),
    client(
        "takes-a-read-error-for-the-end", "an error of stdin is exit status 0",
        "says_that_stdin_cannot_be_read", "exit-status",
        ('        die("stdin");\n    if (n == 0)', "        lines->ended = true;\n    if (n == 0)"),
        file=LINES,
    ),
    # A socket that is not connected
    client(
        "does-not-hear-of-a-refusal", "nothing listening: not noticed",
        "says_that_nothing_listens[127.0.0.1]", "unconnected-socket",
        *UNCONNECTED,
    ),
    client(
        "refusal-is-a-success", "wrong exit status",
        "says_that_nothing_listens[127.0.0.1]", "exit-status",
        ("program, host, port, strerror(errno));\n    exit(1);",
         "program, host, port, strerror(errno));\n    exit(0);"), file=NET,
    ),
    client(
        "refusal-in-other-words", "not `program: what: why`",
        "says_that_nothing_listens[::1]", "messages",
        ('"%s: send to %s port %s: %s\\n"', '"%s: Nobody at %s port %s (%s)\\n"'), file=NET,
    ),
    client(
        "tries-again-where-nobody-is", "nothing listening: sent again before it is told",
        "says_that_nothing_listens[127.0.0.1]", "surplus-datagrams",
        ("        if (n < 0 && errno != EINTR && errno != EAGAIN)\n            return FAILED;",
         "        static int refused;\n"
         "        if (n < 0 && errno == ECONNREFUSED && ++refused < 3)\n"
         "            return SILENT;\n"
         "        if (n < 0 && errno != EINTR && errno != EAGAIN)\n            return FAILED;"),
    ),
    client(
        "takes-a-refusal-for-silence", "the server has gone: another message",
        "says_that_the_server_has_gone", "messages",
        ("            return FAILED;              /* such as ECONNREFUSED */",
         "            return SILENT;"),
    ),
    client(
        "hears-everybody", "a reply from a stranger accepted",
        "ignores_strangers[another-port]", "stranger-accepted",
        *UNCONNECTED,
    ),
    client(
        "compares-the-address-only", "a reply from a stranger accepted",
        "ignores_strangers[another-port]", "stranger-accepted",
        *UNCONNECTED, FROM,
        (IS_REPLY, IS_REPLY + "\n            && from.sin_addr.s_addr == server->sin_addr.s_addr"),
    ),
    client(
        "compares-the-port-only", "a reply from a stranger accepted",
        "ignores_strangers[another-address]", "stranger-accepted",
        *UNCONNECTED, FROM,
        (IS_REPLY, IS_REPLY + "\n            && from.sin_port == server->sin_port"),
    ),
    # Sending
    client(
        "port-in-host-byte-order", "a port not in network byte order",
        "sends_to_the_right_port", "byte-order",
        (CONNECT, f"({IPV4}->sin_port = ntohs({IPV4}->sin_port), {CONNECT})"),
    ),
    client(
        "address-in-host-byte-order", "an address not in network byte order",
        "sends_to_the_right_port", "byte-order",
        (CONNECT, f"({IPV4}->sin_addr.s_addr = INADDR_LOOPBACK, {CONNECT})"),
    ),
    client(
        "ignores-p", "another port than asked",
        "sends_to_the_right_port", "wrong-port",
        ("            plan->port = optarg;", "            ;"),
    ),
    client(
        "tcp", "TCP where UDP is asked",
        "sends_to_the_right_port", "tcp-not-udp",
        (".ai_socktype = SOCK_DGRAM,", ".ai_socktype = SOCK_STREAM,"), file=NET,
    ),
    client(
        "fakes-the-reply", "local faking without any packet",
        "sends_to_the_right_port", "no-packets",
        ("        get_reply(&line, &plan);\n", ""),
    ),
    client(
        "no-ipv6", "no IPv6",
        "asks_by_ipv6", "no-ipv6",
        (FAMILY, ".ai_family = AF_INET,"), file=NET,
    ),
    client(
        "prints-before-the-reply", "the reply is not waited for",
        "asks_one_line_after_the_other", "out-of-turn",
        ("        int ready = wait_until(fd, deadline);\n",
         "        return ANSWERED;\n        int ready = wait_until(fd, deadline);\n"),
    ),
    client(
        "tells-somebody-else", "a copy of each line goes to a third address",
        "sends_each_line_as_one_datagram", "surplus-datagrams",
        ("    while (send(fd,", "    struct sockaddr_in other = { .sin_family = AF_INET,\n"
         "        .sin_port = htons(9999), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };\n"
         "    int spy = socket(AF_INET, SOCK_DGRAM, 0);\n"
         "    sendto(spy, line->text, line->len, 0, (struct sockaddr *)&other, sizeof other);\n"
         "    close(spy);\n    while (send(fd,"),
        ("#include <errno.h>", "#include <errno.h>\n#include <netinet/in.h>"),
    ),
    client(
        "a-descriptor-for-each-line", "descriptor never closed (leak)",
        "keeps_no_descriptor", "descriptor-leak",
        ("        if (fd >= 0)\n            close(fd);\n        errno = why;\n"
         "        if (outcome != FAILED)", "        errno = why;\n        if (outcome != FAILED)"),
    ),
    # Waiting
    client(
        "spins-for-the-reply", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("poll(&wanted, 1, left > 0 ? (int)left : 0);\n"
         "    } while (ready < 0 && errno == EINTR)",
         "poll(&wanted, 1, 0);\n    } while (ready <= 0 && now() < deadline)"),
    ),
    client(
        "looks-every-10-ms", "busy waiting: a timeout in a loop",
        "waits_without_using_the_processor", "busy-wait",
        ("if (poll(&wanted, 1, -1) < 0 && errno != EINTR)\n            die(\"poll\");",
         "while (poll(&wanted, 1, 10) == 0)\n            ;"),
    ),
    client(
        "waits-a-second-for-a-line", "gives up a user who is silent",
        "waits_without_using_the_processor", "own-timeout",
        ("if (poll(&wanted, 1, -1) < 0 && errno != EINTR)\n            die(\"poll\");",
         "if (poll(&wanted, 1, 1000) == 0)\n            return false;"),
    ),
    client(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("            if (n < 0 && errno == ECONNREFUSED)\n                return REFUSED;\n",
         "            if (n < 0 && errno == ECONNREFUSED)\n                return REFUSED;\n"
         "            if (n < 0 && errno == EINTR)\n                fail(\"recv\");\n"),
        base="client-rcvtimeo",
    ),
    client(
        "sends-again-when-interrupted", "`EINTR` taken for the end of the wait",
        "goes_on_after_being_stopped", "eintr",
        ("            if (n < 0 && errno == ECONNREFUSED)\n                return REFUSED;\n",
         "            if (n < 0 && errno == ECONNREFUSED)\n                return REFUSED;\n"
         "            if (n < 0 && errno == EINTR)\n                break;\n"),
        base="client-rcvtimeo",
    ),
    client(
        "waits-for-ever", "no timeout",
        "gives_up", "no-timeout",
        ("poll(&wanted, 1, left > 0 ? (int)left : 0)", "poll(&wanted, 1, -1)"),
    ),
    client(
        "times-in-microseconds-only", "a timeout of a second or more is refused by the kernel",
        "can_wait_more_than_a_second", "no-timeout",
        ("{ left_ms / 1000, left_ms % 1000 * 1000 }", "{ 0, left_ms * 1000 }"),
        ("    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) < 0)\n"
         "        fail(\"SO_RCVTIMEO\");\n",
         "    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);\n"),
        base="client-rcvtimeo",
    ),
    client(
        "never-sends-again", "no retransmission",
        "gives_up", "no-retransmission",
        (TRIES, "i < 1"),
    ),
    client(
        "waits-seconds", "-t counts in seconds",
        "gives_up", "no-timeout",
        ("(long long)timeout * 1000000;", "(long long)timeout * 1000000000;"),
    ),
    client(
        "two-retries", "sent again twice in place of three times",
        "gives_up", "wrong-retries",
        (".retries = 3 }", ".retries = 2 }"),
    ),
    client(
        "never-gives-up", "sent again for ever",
        "gives_up", "wrong-retries",
        (TRIES, "outcome == SILENT"),
    ),
    client(
        "goes-on-after-no-reply", "does not end at the first line without reply",
        "gives_up", "wrong-retries",
        ("enum outcome { FAILED", "static int silent;\nenum outcome { FAILED"),
        (NO_REPLY, "plan->host, plan->port);\n        if (++silent == 2)\n            exit(1);"),
        ("        print_line(&line);", "        if (!silent)\n            print_line(&line);"),
    ),
    client(
        "silence-is-a-success", "wrong exit status",
        "gives_up", "exit-status",
        (NO_REPLY, NO_REPLY.replace("1", "0")),
    ),
    client(
        "silence-in-other-words", "not the table's words",
        "gives_up", "messages",
        ('"client: no reply from %s port %s\\n"', '"client: timeout (%s port %s)\\n"'),
    ),
    client(
        "prints-a-line-without-reply", "what was not answered is printed",
        "gives_up", "messages",
        ("    if (outcome == SILENT) {\n",
         "    if (outcome == SILENT) {\n        puts(\"?\");\n"),
    ),
    client(
        "ignores-t", "another wait than asked",
        "gives_up", "wrong-timeout",
        ("            plan->timeout = strtoul(optarg, NULL, 10);", "            ;"),
    ),
    client(
        "halves-the-wait", "the wait is too short",
        "gives_up", "wrong-timeout",
        ("(long long)timeout * 1000000;", "(long long)timeout * 500000;"),
    ),
    client(
        "waits-less-than-asked", "the wait is a tenth too short",
        "waits_half_a_second", "wrong-timeout",
        (TIMEOUT, "(long long)timeout * 900000;"),
    ),
    client(
        "waits-not-after-the-last-retry", "the last retry's reply is not waited for",
        "gives_up", "wrong-timeout",
        waits("i > 0 && i == plan->retries ? 1 : plan->timeout"),
    ),
    client(
        "waits-a-second", "another wait than the table's",
        "waits_half_a_second", "wrong-timeout",
        (".timeout = 500,", ".timeout = 1000,"),
    ),
    client(
        "waits-anew-for-each-datagram", "each datagram that comes prolongs the wait",
        "is_not_kept_waiting_by_other_datagrams", "timeout-restarted",
        ("        int ready = wait_until(fd, deadline);\n",
         "        deadline = now() + (long long)timeout * 1000000;\n"
         "        int ready = wait_until(fd, deadline);\n"),
    ),
    # What is the reply
    client(
        "takes-whatever-comes", "a reply of other content accepted",
        "ignores_what_is_no_reply", "content-not-compared",
        (IS_REPLY, "n >= 0"),
    ),
    client(
        "compares-the-length-only", "a reply of other content accepted",
        "ignores_what_is_no_reply", "content-not-compared",
        (IS_REPLY, "n == (ssize_t)line->len"),
    ),
    client(
        "sends-again-at-once", "a datagram that is no reply makes it send again",
        "ignores_what_is_no_reply", "wrong-retries",
        ("        if (n < 0 && errno != EINTR", "        if (n >= 0)\n            return SILENT;\n"
         "        if (n < 0 && errno != EINTR"),
    ),
    client(
        "compares-what-came", "a reply that is cut accepted",
        "compares_length_and_bytes[shorter]", "content-not-compared",
        (IS_REPLY, "n > 0 && n <= (ssize_t)line->len && memcmp(reply, line->text, (size_t)n) == 0"),
    ),
    client(
        "compares-nothing", "an empty reply to any line accepted",
        "compares_length_and_bytes[empty]", "content-not-compared",
        (IS_REPLY, "n >= 0 && n <= (ssize_t)line->len\n"
         "            && memcmp(reply, line->text, (size_t)n) == 0"),
    ),
    client(
        "receives-no-more-than-it-sent", "a reply that is longer accepted",
        "compares_length_and_bytes[longer]", "content-not-compared",
        (RECEIVE, "recv(fd, reply, line->len, MSG_DONTWAIT)"),
    ),
    client(
        "compares-strings", "text handled as a C string",
        "compares_length_and_bytes[NUL-more]", "c-string",
        (IS_REPLY, "n >= 0 && (reply[n] = 0, strlen(reply)) == line->len\n"
         "            && memcmp(reply, line->text, line->len) == 0"),
        ("reply[MAX_DATAGRAM + 1]", "reply[MAX_DATAGRAM + 2]"),
    ),
    client(
        "compares-an-empty-line", "anything accepted as the reply to an empty line",
        "compares_length_and_bytes[to-an-empty-line]", "c-string",
        (IS_REPLY, "n >= (ssize_t)line->len && memcmp(reply, line->text, line->len) == 0"),
    ),
    client(
        "compares-up-to-nul", "text handled as a C string",
        "compares_length_and_bytes[different-behind-NUL]", "c-string",
        (IS_REPLY, "n == (ssize_t)line->len && strncmp(reply, line->text, line->len) == 0"),
    ),
    client(
        "one-socket-whatever-comes", "a late duplicate taken for an answer",
        "takes_no_earlier_reply_for_a_later_one", "late-duplicate",
        *ONE_SOCKET, (IS_REPLY, "n >= 0"),
    ),
    client(
        "one-socket", "a late duplicate taken for an answer",
        "takes_no_earlier_reply_for_the_same_line_again", "late-duplicate",
        *ONE_SOCKET,
    ),
    client(
        "one-socket-emptied", "a late duplicate taken for an answer",
        "takes_no_late_reply_for_the_same_line_again", "late-duplicate",
        *ONE_SOCKET,
        (ASK, "        static char old[65536];\n"
         "        while (recv(fd, old, sizeof old, MSG_DONTWAIT) >= 0)\n            ;\n" + ASK),
    ),
    client(
        "compares-64-bytes", "a reply that differs further on accepted",
        "compares_every_byte", "content-not-compared",
        (IS_REPLY, "n == (ssize_t)line->len\n"
         "            && memcmp(reply, line->text, n < 64 ? (size_t)n : 64) == 0"),
    ),
    client(
        "compares-half-and-the-last-byte", "a reply that differs in the other half accepted",
        "compares_every_byte", "content-not-compared",
        (IS_REPLY, "n == (ssize_t)line->len && (n == 0 || (reply[n - 1] == line->text[n - 1]\n"
         "            && memcmp(reply, line->text, line->len / 2) == 0))"),
    ),
    client(
        "compares-all-but-the-last-byte", "a reply that differs in its last byte accepted",
        "compares_every_byte", "content-not-compared",
        (IS_REPLY, "n == (ssize_t)line->len\n"
         "            && memcmp(reply, line->text, line->len - (n > 64)) == 0"),
    ),
    client(
        "compares-a-sum", "a reply with the bytes in another order accepted",
        "compares_every_byte", "content-not-compared",
        ("static int send_line(", "static unsigned sum(const char *text, ssize_t n)\n{\n"
         "    unsigned sum = 0;\n    while (n-- > 0)\n        sum += (unsigned char)text[n];\n"
         "    return sum;\n}\n\nstatic int send_line("),
        (IS_REPLY, "n == (ssize_t)line->len && sum(reply, n) == sum(line->text, n)"),
    ),
    # Sending again
    client(
        "never-sends-again-what-is-empty", "no retransmission of an empty line",
        "sends_again", "no-retransmission",
        (TRIES, "i <= (line->len > 0 ? plan->retries : 0) && outcome == SILENT"),
    ),
    client(
        "never-sends-again-what-is-long", "no retransmission of a line of two packets",
        "sends_again", "no-retransmission",
        (TRIES, "i <= (line->len > 1472 ? 0 : plan->retries) && outcome == SILENT"),
    ),
    client(
        "leaves-after-the-last-sending", "the last sending's reply is not waited for",
        "waits_for_the_last_reply", "wrong-timeout",
        (AWAIT, AWAIT.replace("outcome", "if (i < plan->retries)\n            outcome")),
    ),
    client(
        "hardly-waits-without-retries", "with -r 0 the reply is not waited for",
        "waits_for_the_last_reply", "wrong-timeout",
        waits("plan->retries > 0 ? plan->timeout : 1"),
    ),
    client(
        "always-names-127.0.0.1", "not the host and port it asked",
        "names_whom_it_asked", "messages",
        ('"client: no reply from %s port %s\\n",\n                plan->host, plan->port);',
         '"client: no reply from 127.0.0.1 port 6000\\n");'),
    ),
    client(
        "one-deadline-for-all-lines", "the wait of a line ends when that of the last one would",
        "counts_anew_for_each_line", "wrong-timeout",
        ("    long long deadline = now() + (long long)timeout * 1000000;",
         "    static long long deadline;\n    if (again)\n"
         "        deadline = now() + (long long)timeout * 1000000;\n    again = false;"),
        ("        return SILENT; */\n    } while (now() < deadline);\n",
         "        return SILENT; */\n    } while (now() < deadline);\n    again = true;\n"),
        ("            return ready == 0 ? SILENT : FAILED;",
         "            return (again = ready == 0) ? SILENT : FAILED;"),
        ("static int send_line(", "static bool again = true;\n\nstatic int send_line("),
    ),
    client(
        "doubles-the-wait", "another wait than asked",
        "counts_anew_for_each_line", "wrong-timeout",
        waits("plan->timeout << i"),
    ),
    client(
        "doubles-the-wait-once", "another wait than asked",
        "counts_anew_for_each_line", "wrong-timeout",
        waits("plan->timeout << (i > 0)"),
    ),
    client(
        "waits-longer-each-time", "another wait than asked",
        "counts_anew_for_each_line", "wrong-timeout",
        waits("plan->timeout + plan->timeout * i / 4"),
    ),
    client(
        "waits-200-ms-more", "another wait than asked",
        "counts_anew_for_each_line", "wrong-timeout",
        waits("plan->timeout + 200"),
    ),
    client(
        "sends-again-once", "no retransmission after the first",
        "sends_again", "no-retransmission",
        (TRIES, "i <= 1 && outcome == SILENT"),
    ),
    client(
        "sends-something-else-again", "what is sent again is not the line",
        "sends_again", "no-retransmission",
        (SEND, "(lost++ ? send(fd, \"again\", 5, 0) : send(fd, line->text, line->len, 0))"),
        ("enum outcome { FAILED", "static int lost;\nenum outcome { FAILED"),
    ),
    client(
        "one-retry-at-least", "-r 0 not obeyed",
        "sends_again_as_often_as_it_is_told[0]", "wrong-retries",
        (TRIES, "(i == 1 || i <= plan->retries) && outcome == SILENT"),
    ),
    client(
        "counts-the-first-sending", "sent as often as -r says, the first time included",
        "sends_again_as_often_as_it_is_told[5]", "wrong-retries",
        (TRIES, "i < plan->retries && outcome == SILENT"),
    ),
    client(
        "counts-all-lines-together", "retries not counted anew for each line",
        "counts_anew_for_each_line", "wrong-retries",
        ("for (unsigned long i = 0; " + TRIES, "static unsigned long i;\n    for (; " + TRIES),
    ),
    client(
        "never-sends-again-what-is-lost", "no retransmission: the request is lost",
        "gets_its_reply_over_a_bad_network[to]", "no-retransmission",
        (TRIES, "i < 1"),
    ),
    client(
        "never-asks-again-for-the-reply", "no retransmission: the reply is lost",
        "gets_its_reply_over_a_bad_network[from]", "no-retransmission",
        (TRIES, "i < 1"),
    ),
    client(
        "never-sends-again-what-is-damaged", "no retransmission: the reply is damaged",
        "prints_each_reply_once[damaged]", "no-retransmission",
        (TRIES, "i < 1"),
    ),
    client(
        "takes-a-double-reply", "a late duplicate taken for an answer",
        "prints_each_reply_once[doubled]", "late-duplicate",
        *ONE_SOCKET, (IS_REPLY, TAKES_ANY),
    ),
    client(
        "takes-an-overtaken-reply", "a late duplicate taken for an answer",
        "prints_each_reply_once[overtaken]", "late-duplicate",
        *ONE_SOCKET, (IS_REPLY, TAKES_ANY),
    ),
    # The server's addresses
    client(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        (HINTS, HINTS + " | AI_NUMERICHOST"), file=NET,
    ),
    client(
        "first-address-only", "a name's other addresses not tried",
        "understands_a_name", "first-address-only",
        ("        plan->server = plan->server->ai_next;", "        plan->server = NULL;"),
    ),
    client(
        "ipv4-of-a-name-only", "no IPv6",
        "tries_every_address", "no-ipv6",
        (FAMILY, ".ai_family = AF_INET,"), file=NET,
    ),
    # Printing
    client(
        "stdout-not-flushed", "stdout not flushed",
        "prints_each_reply_at_once", "stdout-not-flushed",
        ("if (fflush(stdout) == EOF || ferror(stdout))", "if (ferror(stdout))"),
    ),
    client(
        "makes-room-without-end", "memory without end",
        "sends_each_line_as_one_datagram", "too-much-memory",
        ("#include <string.h>", "#include <stdlib.h>\n#include <string.h>"),
        ("    if (n == 0)\n", "    for (; n == 0; memset(malloc(1 << 20), 1, 1 << 20))\n"
         "        ;\n    if (n == 0)\n"),
        file=LINES,
    ),
    client(
        "reads-all-lines-first", "nothing is sent before the end of stdin",
        "prints_each_reply_at_once", "no-packets",
        ("    while (!take_line(lines, line)) {",
         "    while (!lines->ended || !take_line(lines, line)) {"),
    ),
    client(
        "says-goodbye-on-stdout", "something of its own on stdout",
        "prints_each_reply_at_once", "messages",
        ("    freeaddrinfo(list);", '    puts("bye");\n    freeaddrinfo(list);'),
    ),
    client(
        "full-disk-is-a-success", "wrong exit status",
        "says_that_stdout_is_full", "exit-status",
        ("if (fflush(stdout) == EOF || ferror(stdout))\n        die(\"stdout\");",
         "fflush(stdout);\n    clearerr(stdout);"),
    ),
    # What a program does before most of its steps are written
    client(
        "unreachable-host-is-a-success", "wrong exit status",
        "says_that_a_host_cannot_be_reached", "exit-status",
        ("        die_sending(plan->host, plan->port);\n    /* END",
         "        exit(0);\n    /* END"),
    ),
    client(
        "never-sends", "local faking without any packet",
        "sends_its_line", "no-packets",
        ("    while (send(fd, line->text, line->len, 0) < 0)",
         "    while (0 && send(fd, line->text, line->len, 0) < 0)"),
    ),
]
