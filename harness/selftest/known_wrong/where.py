"""Which faults make sense in which programs: each of them has to be known, and named."""

from __future__ import annotations

ECHO = ("01 server", "01 server_fork", "01 server_thread", "01 server_poll")
CLOSERS = ("01 hello_server", "01 prompt_server")
CHAT = ("02 server", "02 client")
TURNS = ("02 turn_server", "02 turn_client")
TCP_SERVERS = (*ECHO, *CLOSERS, "02 server", "02 turn_server", "04 send_server", "04 server")
TCP_CLIENTS = ("01 client", "02 client", "02 turn_client", "04 send_client", "04 client")
TCP = (*TCP_SERVERS, *TCP_CLIENTS)
UDP = ("03 server", "03 client", "03 peer", "04 udp_server", "04 udp_client")
TFTP = ("04 udp_server", "04 udp_client")
FTP = ("04 server", "04 client")
SEND = ("04 send_server", "04 send_client")
ALL = (*TCP, *UDP)

WHERE: dict[str, tuple[str, ...]] = {
    "byte-order": ALL,
    "wrong-port": ALL,
    "one-client-only": ("01 server", "01 server_thread", "01 server_poll", *CLOSERS,
                        "04 send_server", "04 server", "03 server", "04 udp_server"),
    "single-read": ("01 server", "01 server_fork", "01 server_thread", "01 client", *CHAT,
                    "02 turn_client", "04 send_client", *FTP),
    "fixed-length": (*ECHO, "01 client", *CHAT, *TURNS, *SEND, *FTP, "03 server",
                     "04 udp_client"),
    "c-string": ALL,
    "no-reuseaddr": TCP_SERVERS,
    "sigpipe": ("01 server", "01 server_thread", "01 server_poll", *CLOSERS, "01 client", *CHAT,
                *TURNS, "04 send_server", *FTP),
    "reset-ends-server": ("01 server", "01 server_thread", "01 server_poll", *CLOSERS,
                          "04 send_server", "04 server"),
    "descriptor-leak": (*ECHO, *CLOSERS, *TURNS, "04 send_server", *FTP, "03 server", "03 client",
                        "04 udp_server"),
    "unread-input-rst": ("01 server", "01 server_fork", "01 server_thread", *CLOSERS, *TURNS,
                         "04 send_server"),
    "linger-rst": (*ECHO, *CLOSERS, "01 client", "02 client", *TURNS,
                   "04 send_server", *FTP),
    "zombie-children": ("01 server", "01 server_fork", *CLOSERS, "04 send_server", "04 server",
                        "03 server", "04 udp_server"),
    "idle-client-blocks": ("01 server_fork", "01 server_thread", "01 server_poll",
                           "01 hello_server", "04 server"),
    "no-half-close": ("01 client", *CHAT),
    "closes-both": (*CLOSERS, "01 client", *CHAT, "04 send_server", "04 client"),
    "deadlock": ("01 client", "02 client"),
    "busy-wait": ALL,
    "stdout-not-flushed": tuple(one for one in ALL
                                if one not in ("04 send_client", "04 udp_client")),
    "exit-status": ALL,
    "udp-not-tcp": (*ECHO, *CLOSERS, "01 client", *CHAT, *TURNS, *SEND, *FTP),
    "tcp-not-udp": UDP,
    "no-packets": (*TCP_CLIENTS, "03 client", "03 peer", "04 udp_client"),
    "partial-write": (*ECHO, "01 client", *CHAT, *TURNS, "04 send_server", *FTP, "03 peer"),
    "eintr": ("01 server", "01 server_thread", "01 server_poll", *CLOSERS, "01 client", *CHAT,
              *TURNS, "04 send_client", *FTP, "03 server", "03 client", "03 peer"),
    "dotted-only": ALL,
    "no-ipv6": ALL,
    "crash": ALL,
    "ended-early": ALL,
    "shared-descriptor": ("01 server_fork", *CHAT),
    "left-over-process": ("01 server", "01 server_fork", *CLOSERS, "01 client", *CHAT,
                          "04 send_server", "04 server", "03 peer", "04 udp_server"),
    "lines-lost": (*CHAT, *TURNS, "04 client", "03 client", "03 peer"),
    "lines-mixed": ("01 server_thread", "01 server_poll", "01 hello_server", *CHAT, *TURNS,
                    "04 client", "03 peer"),
    "cut-datagram": ("03 server", "03 client", "03 peer"),
    "empty-datagram": ("03 server", "03 client", "03 peer"),
    "wrong-receiver": ("03 server", "03 peer"),
    "no-timeout": ("03 client",),
    "no-retransmission": ("03 client", *TFTP),
    "late-duplicate": ("03 client",),
    "stranger-accepted": ("03 client",),
    "block-border": (*SEND, *FTP, *TFTP),
    "text-mode": (*SEND, *FTP, *TFTP),
    "cut-file-kept": ("04 send_client", *FTP, *TFTP),
    "path-traversal": ("04 send_client", "04 server", "04 udp_server"),
    "symlink-escape": ("04 server", "04 udp_server"),
    "no-login": FTP,
    "data-connection": FTP,
    "control-closed": FTP,
    "reply-code": FTP,
    "port-bounce": ("04 server",),
    "last-block": TFTP,
    "block-wrap": TFTP,
    "sorcerers-apprentice": TFTP,
    "strange-port": TFTP,
    "vanished-client": ("04 udp_server",),
}
"""By cause: the programs, each behind the number of its lab. What is not here makes no sense, or
no test can see it: a child's end by SIGPIPE is not its server's, a client has one descriptor."""
