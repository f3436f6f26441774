"""Edits of the TFTP modules that make server and client wrong in the same way."""

from __future__ import annotations

NET, FILES = "net.c", "files.c"
PACKETS, PEER, TRANSFER = "tftp.c", "tftp_peer.c", "tftp_transfer.c"

HINTS = ".ai_flags = AI_NUMERICSERV | flags"
FAMILY = ".ai_family = AF_UNSPEC,"
REPEATS = "return t->repeats++ < MAX_REPEATS ? AGAIN : NO_ANSWER;"
SENDS = "    while (done < count) {\n        int n = sendmmsg("
"""Where blocks have been read."""
IS_NEW = "if (ahead >= 1 && ahead <= sent - *acked) {"
IN_WINDOW = "end = acked + t->window;"
SAVE = "save(saving, t->in.bytes + HEADER, len)"
NEXT = "if (ahead == 0) {\n        if (!save("
GIVE_UP = "            give_up_saving(saving);\n            return outcome;\n"
FROM_PEER = "bool right = is_same_host(&t->sender, &t->peer)\n        && (!t->knows_port ||"
TIMEOUT = "t->timeout = USUAL_TIMEOUT;"
WHOLE = "progress->whole = len < t->block_size;"
RECEIVES = "    while (!progress.whole) {\n"


def each_block(what: str) -> tuple[str, str]:
    """The edit that does WHAT with each block before it is sent: PART, whose bytes are BYTES."""
    return SENDS, ("    for (unsigned i = 0; i < count; i++) {\n"
                   "        struct iovec *part = &batch.parts[i][1];\n"
                   f"        char *bytes = part->iov_base;\n{what}    }}\n{SENDS}")


# Command line, addresses

UNKNOWN_NAME = ("    int error = getaddrinfo(name, port, &hints, &list);\n",
                "    int error = getaddrinfo(name, port, &hints, &list);\n"
                "    flags = list->ai_family;\n")
DOTTED_ONLY = (HINTS, HINTS + " | AI_NUMERICHOST")
IPV4_ONLY = (FAMILY, ".ai_family = AF_INET,")

# Waiting

POLLS = ("t->in.bytes, sizeof t->in.bytes, 0,", "t->in.bytes, sizeof t->in.bytes, MSG_DONTWAIT,")
SENDS_ONCE = (REPEATS, "return NO_ANSWER;")
HEARS_NO_ERROR = ("    if (opcode_of(&t->in) != ERROR)\n        return DONE;\n",
                  "    return DONE;\n")
HEARS_ANY_PORT = (FROM_PEER, FROM_PEER.replace("!t->knows_port", "true"))
HEARS_ANY_HOST = (FROM_PEER, FROM_PEER.replace("is_same_host(&t->sender, &t->peer)", "true"))

# Options

LOWER_CASE_ONLY = ("strcasecmp(name, known[i].name)", "strcmp(name, known[i].name)")

# Sending

NO_EMPTY_BLOCK = ("(uint64_t)status.st_size / t->block_size + 1,",
                  "((uint64_t)status.st_size + t->block_size - 1) / t->block_size,")
NOTHING_OF_NOTHING = ("acked = 0;\n    while (acked < last",
                      "acked = 0;\n    while (status.st_size > 0 && acked < last")
A_BYTE_AGAIN = ("off_t offset = (off_t)*sent * (off_t)t->block_size;",
                "off_t offset = (off_t)*sent * (off_t)t->block_size - (*sent > 0);")
LINE_ENDS = each_block("""
        size_t to = 0;
        for (size_t at = 0; at < part->iov_len; at++)
            if (bytes[at] != '\\r')
                bytes[to++] = bytes[at];
        part->iov_len = to;
""")
UP_TO_NUL = each_block("        part->iov_len = strnlen(bytes, part->iov_len);\n")
A_BLOCK_AHEAD = (IN_WINDOW, "end = acked + 2;")
SHORTER = ("        if (n == 0)                     /* to end here would look whole */\n"
           "            return break_off(t, NOT_DEFINED, \"The file has become shorter\");\n",
           "        if (n == 0)\n            break;\n")
OLD_ACKS = (IS_NEW, "if (ahead <= sent - *acked || ahead > INT16_MAX) {\n"
            "            if (ahead > INT16_MAX)\n                break;")
EARLY_ACKS = (IS_NEW, "if (ahead >= 1 && ahead <= INT16_MAX) {")
SAME_ACKS = (IS_NEW, "if (ahead <= sent - *acked) {")
LAST_ACKS = (IS_NEW, "if (ahead == sent - *acked) {")
WRAPS_TO_1 = ("(uint16_t)++*sent", "(uint16_t)((*sent)++ % 65535 + 1)")

# Receiving

EACH_ACK = ("progress->good - progress->acked >= t->window;", "true;")
NO_SECOND_ACK = ("return progress->good == progress->acked && ahead == UINT16_MAX;",
                 "return false;")
OVER_A_GAP = (NEXT, NEXT.replace("ahead == 0", "ahead < t->window"))
WRITES_AGAIN = (NEXT, NEXT.replace("ahead == 0", "ahead == 0 || ahead == UINT16_MAX"))
WRITES_ANY = (NEXT, NEXT.replace("ahead == 0", "ahead <= INT16_MAX"))
ENDS_AT_0 = (WHOLE, "progress->whole = len == 0;")
ENDS_AT_2 = (WHOLE, "progress->whole = len < t->block_size || progress->good == 2;")
SAVES_UP_TO_NUL = (SAVE, "save(saving, t->in.bytes + HEADER,\n"
                   "                  strnlen((char *)t->in.bytes + HEADER, len))")
COUNTS_16_BITS = ("    uint16_t ahead = (uint16_t)(block_of(&t->in) - (progress->good + 1));",
                  "    uint64_t ahead = block_of(&t->in) - (progress->good + 1);")
ABORTS = (RECEIVES, RECEIVES + "        if (t->in.len < 2)\n            abort();\n")
KEEPS_TEMPORARY = (GIVE_UP, "            return outcome;\n")
KEEPS_CUT = (GIVE_UP, "            finish_saving(saving, replace);\n            return outcome;\n")
FULL_IS_FINE = ("if (n < 0 && errno != EINTR)\n            return false;",
                "if (n < 0 && errno != EINTR)\n            return true;")
TOO_MUCH = ("                 && t->in.len <= HEADER + t->block_size\n", "")
NO_TEMPORARY = (
    ("    do {\n        unsigned number;",
     "    memcpy(saving->temporary, saving->name, sizeof saving->temporary);\n"
     "    return openat(saving->folder, saving->name, O_WRONLY | O_CREAT | O_TRUNC, 0666);\n"
     "    do {\n        unsigned number;"),
    ("    bool done = close(fd) == 0\n",
     "    if (replace) {\n        current = NULL;\n        close(folder);\n"
     "        return close(fd) == 0;\n    }\n    bool done = close(fd) == 0\n"),
)

# Losses

COUNTS_ALL = ("        if (outcome == DONE)\n            t->repeats = 0;\n", "")
ONE_SILENCE = ("        if (outcome == AGAIN)\n            send_ack(t, &progress);",
               "        if (outcome == AGAIN) {\n            give_up_saving(saving);\n"
               "            return NO_ANSWER;\n        }")
