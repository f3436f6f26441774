"""Lab 03: server, client and peer made wrong, for the tests of two programs together."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "03-udp"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    base: str,
) -> KnownWrong:
    """A wrong PROGRAM, made of the design BASE and caught by test_KILLED_BY."""
    return KnownWrong(f"{program}-{name}", fault, program, edits, f"test_{killed_by}", cause, base)


OPEN_PEER = "    int fd = open_peer(argc, argv);\n"
OPTIONS = "    const struct addrinfo *address = read_options(argc, argv);\n"
IPV6_IS_UNKNOWN = (OPTIONS, OPTIONS + "    if (address->ai_family == AF_INET6)\n"
                   "        fail(\"getaddrinfo\");\n")
SAME = "n == (ssize_t)len && memcmp(reply, line, len) == 0"
CONNECTED = "    if (fd < 0 || connect("


def deaf_after(datagrams: int) -> tuple[str, str]:
    """The edit by which server-select answers no more than so many DATAGRAMS."""
    answers = "    if (n >= 0 && sendto("
    return answers, ("    static int count;\n"
                     + answers.replace("n >= 0", f"n >= 0 && ++count <= {datagrams}"))


PAIR = [
    wrong(
        "server", "room-for-60000-bytes", "cut datagrams",
        "pair_echoes_lines_of_any_size[ipv4]", "cut-datagram",
        ("static char data[ROOM];", "static char data[60000];"), base="server-select",
    ),
    wrong(
        "client", "knows-no-ipv6", "no IPv6",
        "pair_echoes_lines_of_any_size[ipv6]", "no-ipv6",
        IPV6_IS_UNKNOWN, base="client-rcvtimeo",
    ),
    wrong(
        "client", "sends-once", "no retransmission",
        "pair_makes_up_for_losses", "no-retransmission",
        ("i <= retries && outcome", "i < 1 && outcome"), base="client-unconnected",
    ),
    wrong(
        "client", "sends-twice", "`-r` is not obeyed",
        "pair_on_a_network_that_loses_a_third", "wrong-retries",
        ("long left = retries;", "long left = 1;"), base="client-select",
    ),
    wrong(
        "server", "forgets-whom-to-answer", "the reply has no receiver",
        "pair_makes_up_for_losses", "wrong-receiver",
        ("(struct sockaddr *)&from, len) < 0)", "(struct sockaddr *)&from, 0) < 0)"),
        base="server-select",
    ),
    wrong(
        "server", "deaf-from-the-start", "no reply at all",
        "pair_makes_up_for_losses", "no-answer",
        deaf_after(0), base="server-select",
    ),
    wrong(
        "server", "deaf-after-eight-datagrams", "no reply from then on",
        "pair_on_a_network_that_loses_a_third", "no-answer",
        deaf_after(8), base="server-select",
    ),
    wrong(
        "server", "deaf-after-eight-datagrams-on-its-host", "no reply from then on",
        "pair_on_two_hosts_with_losses", "no-answer",
        deaf_after(8), base="server-select",
    ),
    wrong(
        "server", "strips-newlines", "a datagram does not come back as it came",
        "server_echoes_to_ncat", "no-answer",
        ("        ssize_t n = recvfrom(fd, data, ROOM, 0, (struct sockaddr *)&from, &len);\n",
         "        ssize_t n = recvfrom(fd, data, ROOM, 0, (struct sockaddr *)&from, &len);\n"
         "        n -= n > 0 && data[n - 1] == '\\n';\n"), base="server-threads",
    ),
    wrong(
        "client", "wants-a-newline-back", "takes no reply that it has not sent in its own way",
        "client_is_answered_by_ncat", "no-answer",
        (SAME, "n == (ssize_t)len + 1 && memcmp(reply, line, len) == 0"), base="client-select",
    ),
    wrong(
        "client", "at-the-loopback-address-only", "binds 127.0.0.1 for whatever server",
        "pair_on_two_hosts[ipv4]", "wrong-address",
        (CONNECTED, "    bind(fd, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET,"
         " .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, sizeof(struct sockaddr_in));\n"
         + CONNECTED),
        ("#include <sys/select.h>", "#include <netinet/in.h>\n#include <sys/select.h>"),
        base="client-select",
    ),
    wrong(
        "client", "knows-no-other-ipv6-host", "no IPv6",
        "pair_on_two_hosts[ipv6]", "no-ipv6",
        IPV6_IS_UNKNOWN, base="client-reconnect",
    ),
    wrong(
        "client", "sends-twice-to-another-host", "`-r` is not obeyed",
        "pair_on_two_hosts_with_losses", "wrong-retries",
        ("i <= retries && outcome", "i < 2 && outcome"), base="client-bytewise",
    ),
    wrong(
        "client", "hears-of-no-refusal", "`Connection refused` not noticed",
        "client_is_refused_by_another_host", "unconnected-socket",
        ("    setsockopt(fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);\n", ""),
        base="client-unconnected",
    ),
]

PEERS = [
    wrong(
        "peer", "names-itself", "the sender is not named",
        "peers_talk_both_ways[ipv4]", "messages",
        ("    name_sender(name, &from);",
         "    getsockname(fd, (struct sockaddr *)&from, &len);\n    name_sender(name, &from);"),
        base="peer-poll",
    ),
    wrong(
        "peer", "knows-no-ipv6", "no IPv6", "peers_talk_both_ways[ipv6]", "no-ipv6",
        (OPEN_PEER, "    errno = EAFNOSUPPORT;\n    if (strchr(argv[argc - 2], ':') != NULL)\n"
         "        fail(\"HOST\");\n" + OPEN_PEER),
        base="peer-poll",
    ),
    wrong(
        "peer", "types-first-at-a-terminal", "deaf while it waits for stdin",
        "peers_at_terminals", "waits-for-one",
        ("poll(waited_for, 2, -1)", "poll(&waited_for[1], 1, -1)"), base="peer-poll",
    ),
    wrong(
        "peer", "prints-nothing-twice", "what comes twice is printed once",
        "peers_on_a_bad_network", "messages",
        ("    char name[NAME_ROOM];\n",
         "    char name[NAME_ROOM];\n    static char last[ROOM];\n    static ssize_t last_n;\n"),
        ("    name_sender(name, &from);\n",
         "    if (n == last_n && memcmp(data, last, (size_t)n) == 0)\n        return;\n"
         "    memcpy(last, data, (size_t)(last_n = n));\n    name_sender(name, &from);\n"),
        base="peer-poll",
    ),
    wrong(
        "peer", "sends-everything-twice", "a message is sent more than once",
        "peers_on_a_bad_network", "messages",
        ("        send_line(fd, typed + start, len);",
         "        send_line(fd, typed + start, len);\n        send_line(fd, typed + start, len);"),
        base="peer-poll",
    ),
    wrong(
        "peer", "newlines-of-ncat-and-its-own", "a newline too many",
        "peer_talks_with_ncat", "messages",
        ("if (n == 0 || data[n - 1] != '\\n')\n        data[n++] = '\\n';", "data[n++] = '\\n';"),
        base="peer-poll",
    ),
    wrong(
        "peer", "at-the-loopback-address-only", "`-a` is not obeyed",
        "peers_on_two_hosts[ipv4]", "wrong-address",
        (OPEN_PEER, "    optind = 1;\n    for (int i = 1; i < argc; i++)\n"
         "        if (strcmp(argv[i], \"0.0.0.0\") == 0)\n            argv[i] = \"127.0.0.1\";\n"
         + OPEN_PEER), base="peer-poll",
    ),
    wrong(
        "peer", "knows-no-other-ipv6-host", "no IPv6", "peers_on_two_hosts[ipv6]", "no-ipv6",
        (OPEN_PEER, "    for (int i = 1; i < argc; i++)\n        if (strchr(argv[i], ':'))\n"
         "            fail(argv[i]);\n" + OPEN_PEER), base="peer-poll",
    ),
]

KNOWN_WRONG = PAIR + PEERS
