"""The same fault in every program of a lab where it makes sense, named with the same cause.

Twins as in twins.py, whether or not other tests find them, too.
"""

from __future__ import annotations

EVERYWHERE: dict[str, dict[str, tuple[str, str]]] = {
    "01-tcp-echo": {
        "prompt_server-open-to-the-network": ("hello_server-open-to-the-network", "prompt_server"),
        "server_fork-any-text-for-a-port": ("server-any-text-for-a-port", "server_fork"),
        "server_fork-closes-first": ("server-closes-first", "server_fork"),
        "server_fork-closes-with-input-unread": ("server-closes-with-input-unread", "server_fork"),
        "server_fork-cuts-at-nul": ("server-cuts-at-nul", "server_fork"),
        "server_fork-ended-by-sigterm": ("server-ended-by-sigterm", "server_fork"),
        "server_fork-gives-up": ("server-gives-up", "server_fork"),
        "server_fork-no-ipv6": ("server-no-ipv6", "server_fork"),
        "server_fork-open-to-the-network": ("server-open-to-the-network", "server_fork"),
        "server_fork-port-asked-for-in-start-line":
            ("server-port-asked-for-in-start-line", "server_fork"),
        "server_fork-port-in-host-byte-order": ("server-port-in-host-byte-order", "server_fork"),
        "server_fork-reads-once": ("server-reads-once", "server_fork"),
        "server_fork-sends-its-whole-buffer": ("server-sends-its-whole-buffer", "server_fork"),
        "server_fork-stdout-not-flushed": ("server-stdout-not-flushed", "server_fork"),
        "server_fork-udp": ("server-udp", "server_fork"),
        "server_fork-waits-for-a-full-buffer": ("server-waits-for-a-full-buffer", "server_fork"),
        "server_poll-address-in-host-byte-order":
            ("server-address-in-host-byte-order", "server_poll"),
        "server_poll-any-text-for-a-port": ("server-any-text-for-a-port", "server_poll"),
        "server_poll-does-not-end": ("server-does-not-end", "server_poll"),
        "server_poll-ended-by-sigterm": ("server-ended-by-sigterm", "server_poll"),
        "server_poll-gives-up": ("server-gives-up", "server_poll"),
        "server_poll-no-ipv6": ("server-no-ipv6", "server_poll"),
        "server_poll-open-to-the-network": ("server-open-to-the-network", "server_poll"),
        "server_poll-port-asked-for-in-start-line":
            ("server-port-asked-for-in-start-line", "server_poll"),
        "server_poll-stdout-not-flushed": ("server-stdout-not-flushed", "server_poll"),
        "server_poll-udp": ("server-udp", "server_poll"),
        "server_thread-any-text-for-a-port": ("server-any-text-for-a-port", "server_thread"),
        "server_thread-closes-first": ("server-closes-first", "server_thread"),
        "server_thread-closes-with-input-unread":
            ("server-closes-with-input-unread", "server_thread"),
        "server_thread-cuts-at-nul": ("server-cuts-at-nul", "server_thread"),
        "server_thread-does-not-end": ("server-does-not-end", "server_thread"),
        "server_thread-ends-with-1": ("server-ends-with-1", "server_thread"),
        "server_thread-forgets-what-send-did-not-take":
            ("server_fork-forgets-what-send-did-not-take", "server_thread"),
        "server_thread-gives-up": ("server-gives-up", "server_thread"),
        "server_thread-no-ipv6": ("server-no-ipv6", "server_thread"),
        "server_thread-open-to-the-network": ("server-open-to-the-network", "server_thread"),
        "server_thread-port-in-host-byte-order":
            ("server-port-in-host-byte-order", "server_thread"),
        "server_thread-reads-once": ("server-reads-once", "server_thread"),
        "server_thread-sends-its-whole-buffer": ("server-sends-its-whole-buffer", "server_thread"),
        "server_thread-start-line-differs": ("server-start-line-differs", "server_thread"),
        "server_thread-stdout-not-flushed": ("server-stdout-not-flushed", "server_thread"),
        "server_thread-udp": ("server-udp", "server_thread"),
        "server_thread-waits-for-a-full-buffer":
            ("server-waits-for-a-full-buffer", "server_thread"),
    },
    "02-p2p-chat": {
        "client-stdout-not-flushed": ("server-stdout-not-flushed", "client"),
        "client-udp": ("turn_client-udp", "client"),
        "server-prints-once": ("client-prints-once", "server"),
        "server-sends-its-whole-buffer": ("client-sends-its-whole-buffer", "server"),
        "server-takes-an-interruption-for-an-error":
            ("client-takes-an-interruption-for-an-error", "server"),
        "turn_client-dotted-addresses-only": ("client-dotted-addresses-only", "turn_client"),
        "turn_client-forgets-what-send-did-not-take":
            ("turn_server-forgets-what-send-did-not-take", "turn_client"),
        "turn_client-sends-a-fixed-length": ("turn_server-sends-a-fixed-length", "turn_client"),
        "turn_client-stdout-not-flushed": ("turn_server-stdout-not-flushed", "turn_client"),
        "turn_client-waits-after-the-clients-fin":
            ("turn_server-waits-after-the-clients-fin", "turn_client"),
        "turn_server-linger-0": ("turn_client-linger-0", "turn_server"),
        "turn_server-open-to-the-network": ("server-open-to-the-network", "turn_server"),
        "turn_server-udp": ("server-udp", "turn_server"),
    },
}
"""By lab and name: which known-wrong program it is the twin of, and which program it is."""

FOUND_BY: dict[str, dict[str, tuple[str, str, str]]] = {
    "01-tcp-echo": {
        "hello_server-port-in-host-byte-order": (
            "server-port-in-host-byte-order", "hello_server",
            "test_closer_listens_at_its_own_port[hello_server]"),
        "prompt_server-address-in-host-byte-order": (
            "server-address-in-host-byte-order", "prompt_server",
            "test_closer_listens_at_its_own_port[prompt_server]"),
        "hello_server-udp": (
            "server-udp", "hello_server", "test_closer_listens_at_its_own_port[hello_server]"),
        "prompt_server-udp": (
            "server-udp", "prompt_server", "test_closer_listens_at_its_own_port[prompt_server]"),
        "hello_server-gives-up": (
            "server-gives-up", "hello_server",
            "test_closer_listens_at_its_own_port[hello_server]"),
        "prompt_server-gives-up": (
            "server-gives-up", "prompt_server",
            "test_closer_listens_at_its_own_port[prompt_server]"),
    },
    "04-file-transfer": {
        "send_server-udp": (
            "server-udp", "send_server", "test_send_server_listens_at_its_own_port"),
    },
}
"""The same for twins that another rule finds: with the test that does."""

AT_THE_START: dict[str, dict[str, tuple[str, str]]] = {
    "01-tcp-echo": {
        "server_fork": ("    int listen_fd = start_server(",
                        "test_server_listens_on_the_loopback_by_default[server_fork]"),
        "server_thread": ("    int listen_fd = start_server(",
                          "test_server_listens_on_the_loopback_by_default[server_thread]"),
        "server_poll": ("    listen_fd = start_server(",
                        "test_server_listens_on_the_loopback_by_default[server_poll]"),
        "client": ("    int conn_fd = connect_to(", "test_client_connects_to_the_right_port"),
        "hello_server": ("    int listen_fd = start_server(",
                         "test_closer_listens_at_its_own_port[hello_server]"),
        "prompt_server": ("    int listen_fd = start_server(",
                          "test_closer_listens_at_its_own_port[prompt_server]"),
    },
    "02-p2p-chat": {
        "server": ("    int listen_fd = start_server(",
                   "test_server_prints_its_start_line[server]"),
        "turn_server": ("    int listen_fd = start_server(",
                        "test_server_prints_its_start_line[turn_server]"),
        "client": ("    chat(connect_to(", "test_client_connects_to_the_right_port[client]"),
        "turn_client": ("    int conn_fd = connect_to(",
                        "test_client_connects_to_the_right_port[turn_client]"),
    },
    "03-udp": {
        "server": ("    int fd = bind_to(", "test_server_is_at_its_port"),
        "client": ("    struct addrinfo *list = addresses_of(",
                   "test_client_sends_to_the_right_port"),
        "peer": ("    int fd = open_socket(", "test_peer_is_where_it_is_told"),
    },
    "04-file-transfer": {
        "send_server": ("    int listen_fd = listen_on(",
                        "test_send_server_listens_at_its_own_port"),
        "send_client": ("    int conn_fd = connect_to(",
                        "test_send_client_connects_where_it_is_told[default]"),
        "server": ("    served.folder = open_folder(", "test_server_serves_the_current_folder"),
        "client": ("    open_control(", "test_client_connects_to_the_right_port"),
        "udp_server": ("    served.folder = open_folder(", "test_udp_server_is_at_its_port"),
        "udp_client": ("    if (plan.request.opcode == RRQ)\n", "test_udp_client_asks_for_a_file"),
    },
}
"""By lab and program: where its main() begins its work, and a test that sees it."""
STARTS = {
    "crashes-at-its-start": (
        "uses a pointer that points nowhere", "crash", "    *(volatile int *)16 = 0;\n"),
    "gives-up-at-its-start": (
        "ends with an error before it has done anything", "ended-early",
        '    (void)!write(2, "no luck today\\n", 14);\n    _exit(1);\n'),
}
"""By a name's end: the fault, its cause, and what is put there."""
FAKES = {
    "fakes-its-work": ("local faking without any packet", "no-packets", "    _exit(0);\n"),
}
"""The same for clients."""
