"""The same fault in a program's twin: edits that fit it just as well, found by the same rule.

Kept are those that one test alone finds (docs/kill-table.md tells which).
"""

from __future__ import annotations

TWINS: dict[str, dict[str, tuple[str, str]]] = {
    "01-tcp-echo": {
        "prompt_server-dotted-addresses-only":
            ("hello_server-dotted-addresses-only", "prompt_server"),
        "prompt_server-no-ipv6": ("hello_server-no-ipv6", "prompt_server"),
        "prompt_server-takes-an-unknown-name-for-a-success":
            ("hello_server-takes-an-unknown-name-for-a-success", "prompt_server"),
        "prompt_server-ended-by-a-reset-after-its-fin":
            ("hello_server-ended-by-a-reset-after-its-fin", "prompt_server"),
        "prompt_server-spins-for-the-fin": ("hello_server-spins-for-the-fin", "prompt_server"),
        "server_fork-ignores-p": ("server-ignores-p", "server_fork"),
        "server_thread-ignores-p": ("server-ignores-p", "server_thread"),
        "server_poll-ignores-p": ("server-ignores-p", "server_poll"),
        "server_fork-dotted-addresses-only": ("server-dotted-addresses-only", "server_fork"),
        "server_fork-one-ipv6-address-in-place-of-all":
            ("server-one-ipv6-address-in-place-of-all", "server_fork"),
        "server_thread-one-ipv6-address-in-place-of-all":
            ("server-one-ipv6-address-in-place-of-all", "server_thread"),
        "server_poll-one-ipv6-address-in-place-of-all":
            ("server-one-ipv6-address-in-place-of-all", "server_poll"),
        "prompt_server-leaks-after-a-reset": ("hello_server-leaks-after-a-reset", "prompt_server"),
        "server_thread-dotted-addresses-only": ("server-dotted-addresses-only", "server_thread"),
        "server_poll-dotted-addresses-only": ("server-dotted-addresses-only", "server_poll"),
        "server_fork-no-reuseaddr": ("server-no-reuseaddr", "server_fork"),
        "server_thread-no-reuseaddr": ("server-no-reuseaddr", "server_thread"),
        "server_poll-no-reuseaddr": ("server-no-reuseaddr", "server_poll"),
        "server_fork-reuseport": ("server-reuseport", "server_fork"),
        "server_fork-taken-port-is-a-success": ("server-taken-port-is-a-success", "server_fork"),
        "server_thread-taken-port-is-a-success":
            ("server-taken-port-is-a-success", "server_thread"),
        "server_poll-taken-port-is-a-success": ("server-taken-port-is-a-success", "server_poll"),
        "server_thread-takes-an-interruption-for-the-end":
            ("server-takes-an-interruption-for-the-end", "server_thread"),
        "server_fork-dies-of-an-unknown-name": ("server-dies-of-an-unknown-name", "server_fork"),
        "server_thread-dies-of-an-unknown-name":
            ("server-dies-of-an-unknown-name", "server_thread"),
        "server_poll-dies-of-an-unknown-name": ("server-dies-of-an-unknown-name", "server_poll"),
    },
    "02-p2p-chat": {
        "server-ends-at-a-typed-exit": ("client-ends-at-a-typed-exit", "server"),
        "server-drops-an-unfinished-line": ("client-drops-an-unfinished-line", "server"),
        "client-killed-by-sigpipe": ("server-killed-by-sigpipe", "client"),
        "turn_server-ignores-p": ("server-ignores-p", "turn_server"),
        "server-dotted-addresses-only": ("turn_server-dotted-addresses-only", "server"),
        "turn_server-no-ipv6": ("server-no-ipv6", "turn_server"),
        "turn_server-reuseport": ("server-reuseport", "turn_server"),
        "turn_server-no-reuseaddr": ("server-no-reuseaddr", "turn_server"),
        "server-taken-port-is-a-success": ("turn_server-taken-port-is-a-success", "server"),
        "turn_server-any-text-for-a-port": ("server-any-text-for-a-port", "turn_server"),
        "server-polls-for-its-peer": ("turn_server-polls-for-its-peer", "server"),
        "turn_server-dies-of-an-unknown-name": ("server-dies-of-an-unknown-name", "turn_server"),
        "turn_client-ignores-p": ("client-ignores-p", "turn_client"),
        "turn_client-ipv4-of-a-name-only": ("client-ipv4-of-a-name-only", "turn_client"),
        "turn_client-first-address-only": ("client-first-address-only", "turn_client"),
        "turn_client-usage-ends-with-1": ("client-usage-ends-with-1", "turn_client"),
        "turn_client-dies-of-an-unknown-name": ("client-dies-of-an-unknown-name", "turn_client"),
        "turn_client-prints-a-string": ("turn_server-prints-a-string", "turn_client"),
        "turn_server-drops-empty-lines": ("turn_client-drops-empty-lines", "turn_server"),
        "turn_server-sends-no-newline": ("turn_client-sends-no-newline", "turn_server"),
        "turn_server-reset-is-a-success": ("turn_client-reset-is-a-success", "turn_server"),
        "turn_client-killed-by-sigpipe": ("turn_server-killed-by-sigpipe", "turn_client"),
        "turn_server-unsent-line-is-a-success":
            ("turn_client-unsent-line-is-a-success", "turn_server"),
        "turn_server-takes-an-interruption-for-an-error":
            ("turn_client-takes-an-interruption-for-an-error", "turn_server"),
        "turn_server-reads-on-after-ctrl-d": ("turn_client-reads-on-after-ctrl-d", "turn_server"),
    },
}
"""By lab and name: which known-wrong program it is the twin of, and which program it is."""
