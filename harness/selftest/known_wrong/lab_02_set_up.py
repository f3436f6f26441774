"""Lab 02: net.c made wrong, with which all four programs begin."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "02-p2p-chat"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "net.c",
) -> KnownWrong:
    """A wrong PROGRAM; names are completed with what all of them begin with."""
    kind = "server" if program.endswith("server") else "client"
    test, _, values = killed_by.partition("[")
    test = f"test_{kind}_{test}[{program}" + (f"-{values}" if values else "]")
    return KnownWrong(f"{program}-{name}", fault, program, edits, test, cause, file=file)


BEFORE_BIND = "        if (bind(listen_fd, "
BEFORE_ACCEPT = "        len = sizeof peer_addr;\n"
CONNECTS = "connect(conn_fd, ai->ai_addr, ai->ai_addrlen) == 0"
SERVERS_HINTS = ".ai_flags = AI_PASSIVE | AI_NUMERICSERV"
CLIENTS_HINTS = ".ai_flags = AI_NUMERICSERV"
SERVERS_FAMILY = ".ai_family = AF_UNSPEC,       /*"
CLIENTS_FAMILY = ".ai_family = AF_UNSPEC,\n"
UNKNOWN = "    if (error != 0)\n        unknown("

SERVERS = [
    wrong(
        "server", "port-in-host-byte-order", "a port not in network byte order",
        "prints_its_start_line", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port);\n"
         + BEFORE_BIND),
    ),
    wrong(
        "turn_server", "address-in-host-byte-order", "an address not in network byte order",
        "prints_its_start_line", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK;\n"
         + BEFORE_BIND),
    ),
    wrong(
        "server", "ignores-p", "another port than asked",
        "listens_where_it_is_told", "wrong-port",
        ("        else if (option == 'p' && is_port(optarg))\n            *port = optarg;",
         "        else if (option == 'p' && is_port(optarg))\n            *port = \"5188\";"),
    ),
    wrong(
        "turn_server", "at-another-port", "another port than the table's",
        "prints_its_start_line", "wrong-port",
        ('*port = "2018"', '*port = "2019"'), file="turn_server.c",
    ),
    wrong(
        "server", "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "prints_its_start_line", "wrong-address",
        ('"127.0.0.1"', '"0.0.0.0"'), file="server.c",
    ),
    wrong(
        "server", "udp", "UDP where TCP is asked",
        "prints_its_start_line", "udp-not-tcp",
        (".ai_socktype = SOCK_STREAM,   /*", ".ai_socktype = SOCK_DGRAM,   /*"),
        ("listen(listen_fd, SOMAXCONN) < 0", "pause() < -1"),
    ),
    wrong(
        "turn_server", "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        (SERVERS_HINTS, SERVERS_HINTS + " | AI_NUMERICHOST"),
    ),
    wrong(
        "server", "no-ipv6", "no IPv6",
        "talks_by_ipv6", "no-ipv6",
        (SERVERS_FAMILY, ".ai_family = AF_INET,       /*"),
    ),
    wrong(
        "server", "no-reuseaddr", "no `SO_REUSEADDR`",
        "can_be_started_again_at_once", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"),
    ),
    wrong(
        "server", "reuseport", "`SO_REUSEPORT` in place of `SO_REUSEADDR`",
        "says_that_its_port_is_taken", "address-in-use",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_REUSEPORT,"),
    ),
    wrong(
        "turn_server", "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("        exit(1);\n    }\n    return listen_fd;",
         "        exit(0);\n    }\n    return listen_fd;"),
    ),
    wrong(
        "server", "any-text-for-a-port", "a port that is none is taken",
        "explains_wrong_arguments", "usage",
        ("        && strtoul(", "        || strtoul("),
    ),
    wrong(
        "turn_server", "never-listens", "no listening socket",
        "prints_its_start_line", "not-listening",
        ("listen(listen_fd, SOMAXCONN) < 0", "pause() < -1"),
    ),
    wrong(
        "server", "start-line-differs", "the start line is not the table's",
        "prints_its_start_line", "messages",
        ('"listening on"', '"Listening on"'),
    ),
    wrong(
        "server", "port-asked-for-in-start-line", "the start line does not tell the real port",
        "tells_the_port_it_got", "messages",
        ('    print_address("listening on", &addr, len);',
         '    printf("listening on 127.0.0.1 port %s\\n", port);\n    fflush(stdout);'),
    ),
    wrong(
        "server", "start-line-not-flushed", "stdout not flushed",
        "prints_its_start_line", "stdout-not-flushed",
        (" || fflush(stdout) == EOF", ""),
    ),
    wrong(
        "server", "own-address-for-its-peer", "`connection from` with the port it listens on",
        "talks_by_ipv6", "messages",
        ("    if (conn_fd >= 0 && announced)", "    if (conn_fd >= 0)\n"
         "        getsockname(conn_fd, (struct sockaddr *)&peer_addr, &len);\n"
         "    if (conn_fd >= 0 && announced)"),
    ),
    wrong(
        "turn_server", "polls-for-its-peer", "busy waiting",
        "waits_for_its_peer_without_using_the_processor", "busy-wait",
        ("#include <netdb.h>", "#include <netdb.h>\n#include <poll.h>"),
        (BEFORE_ACCEPT, "        while (poll(&(struct pollfd){listen_fd, POLLIN, 0}, 1, 20) == 0)\n"
         "            ;\n" + BEFORE_ACCEPT),
    ),
    wrong(
        "server", "ended-by-sigterm", "wrong exit status",
        "ends_by_a_signal_before_anybody_called[SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, ", "sigaction(SIGUSR1, "),
    ),
    wrong(
        "turn_server", "does-not-end", "SIGINT does not end it",
        "ends_by_a_signal_before_anybody_called[SIGINT]", "slow-end",
        ("    _exit(0);", ""),
    ),
    wrong(
        "server", "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        (UNKNOWN + "address", "    if (error != 0)\n        exit(list->ai_family);\n" + UNKNOWN
         + "address"),
    ),
]

CLIENTS = [
    wrong(
        "client", "port-in-host-byte-order", "a port not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port), "
         + CONNECTS + ")"),
    ),
    wrong(
        "turn_client", "address-in-host-byte-order", "an address not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK, "
         + CONNECTS + ")"),
    ),
    wrong(
        "client", "ignores-p", "another port than asked",
        "connects_to_the_right_port", "wrong-port",
        ('"p:")) != -1) {\n        if (option == \'p\' && is_port(optarg))\n'
         "            *port = optarg;",
         '"p:")) != -1) {\n        if (option == \'p\' && is_port(optarg))\n'
         '            *port = "5188";'),
    ),
    wrong(
        "turn_client", "udp", "UDP where TCP is asked",
        "connects_to_the_right_port", "udp-not-tcp",
        (".ai_socktype = SOCK_STREAM,\n", ".ai_socktype = SOCK_DGRAM,\n"),
    ),
    wrong(
        "client", "fakes-a-conversation", "local faking without any packet",
        "connects_to_the_right_port", "no-packets",
        ("    chat(connect_to(host, port));", "    (void)chat;\n"
         '    while (fgets((char[99]){""}, 99, stdin) != NULL)\n        puts("I see.");'),
        ('#include "chat.h"', '#include <stdio.h>\n\n#include "chat.h"'), file="client.c",
    ),
    wrong(
        "client", "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        (CLIENTS_HINTS, CLIENTS_HINTS + " | AI_NUMERICHOST"),
    ),
    wrong(
        "turn_client", "no-ipv6", "no IPv6",
        "connects_by_ipv6", "no-ipv6",
        (CLIENTS_FAMILY, ".ai_family = AF_INET,\n"),
    ),
    wrong(
        "client", "ipv4-of-a-name-only", "no IPv6",
        "tries_every_address", "no-ipv6",
        (CLIENTS_FAMILY, ".ai_family = strchr(host, ':') ? AF_INET6 : AF_INET,\n"),
    ),
    wrong(
        "client", "first-address-only", "a name's other addresses not tried",
        "understands_a_name", "first-address-only",
        ("        if (conn_fd >= 0\n            && connect(",
         "        ai->ai_next = NULL;\n        if (conn_fd >= 0\n            && connect("),
    ),
    wrong(
        "client", "usage-ends-with-1", "wrong exit status",
        "explains_wrong_arguments", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    wrong(
        "turn_client", "refusal-is-a-success", "wrong exit status",
        "says_that_nobody_listens", "exit-status",
        ("        exit(1);\n    }\n    return conn_fd;", "        exit(0);\n    }\n"
         "    return conn_fd;"),
    ),
    wrong(
        "client", "refusal-in-other-words", "not `program: what: why`",
        "says_that_nobody_listens", "messages",
        ('"%s: connect to %s port %s: %s\\n"', '"%s: %s, port %s, cannot be reached: %s\\n"'),
    ),
    wrong(
        "client", "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        (UNKNOWN + "host", "    if (error != 0)\n        exit(list->ai_family);\n" + UNKNOWN
         + "host"),
    ),
]

KNOWN_WRONG = SERVERS + CLIENTS
