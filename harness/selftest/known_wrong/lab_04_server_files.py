"""Lab 04: `server`, the FTP server, wrong in its data connections, its files and its folder."""

from __future__ import annotations

from known_wrong import KnownWrong

from known_wrong.lab_04_server import DATA, LAB, NET, SESSION, TRANSFER, server

__all__ = ["KNOWN_WRONG", "LAB"]

LIST, FILES, HEADER = "list.c", "files.c", "transfer.h"

ACCEPTED = "        if (conn_fd >= 0 && is_same_host(&addr, &data->peer))"
OWN = "    if (!is_same_host(wanted, &data->peer) || port_of(wanted) < 1024) {"
ANY_PORT = (OWN, "    if (!is_same_host(wanted, &data->peer)) {")
"""Also below 1024, which the bytes of a port may tell in the other order."""
CLOSE_DATA = "    else if (close(data_fd) < 0)"
OPENED = "    conn_fd = data->active ? connect_data(data) : accept_data(session);"
SIX = "        right = number != NULL && is_number(number, 255);"
PASV_PORT = "ip[0], ip[1], ip[2], ip[3], port / 256, port % 256"


def limited(name: str, seconds: str, option: str, killed_by: str) -> KnownWrong:
    """A wait of 100 ms, and not of SECONDS, a constant; OPTION: socket(7)'s for that wait."""
    return server(
        name, "gives up before TCP does", killed_by, "own-timeout",
        (f"!set_patience(conn_fd, {seconds})",
         f"setsockopt(conn_fd, SOL_SOCKET, {option},\n"
         "                          &(struct timeval){ 0, 100000 }, sizeof(struct timeval)) < 0"),
        file=DATA)


CONNECTIONS = [
    server(
        "signed-address", "the bytes of its address are told with a sign",
        "is_where_it_is_told", "transfer-port",
        ("    unsigned char ip[", "    signed char ip["),
        ('"Entering Passive Mode (%u,%u,%u,%u,', '"Entering Passive Mode (%d,%d,%d,%d,'),
        file=DATA,
    ),
    server(
        "data-on-the-control-connection", "no data connection per transfer",
        "serves_the_current_folder", "data-connection",
        (OPENED, "    conn_fd = dup(session->control_fd);"), file=DATA,
    ),
    server(
        "closes-the-control-connection-too", "control connection closed after one transfer",
        "sends_files_of_any_size", "control-closed",
        ("          : \"The file cannot be read, written or named.\");",
         "          : \"The file cannot be read, written or named.\");\n    session->over = true;"),
        file=TRANSFER,
    ),
    server(
        "keeps-the-data-connection", "no data connection per transfer: it stays open",
        "serves_the_current_folder", "data-connection",
        (CLOSE_DATA, "    else if (data_fd < 0)"), file=TRANSFER,
    ),
    server(
        "data-connection-linger-0", "`SO_LINGER` 0 (RST)", "sends_files_of_any_size",
        "linger-rst",
        ("    if (outcome != DONE)\n        close_with_reset",
         "    if (true)\n        close_with_reset"),
        file=TRANSFER,
    ),
    server(
        "waits-for-the-readers-fin", "the sender of a file closes first",
        "serves_the_current_folder", "data-connection",
        (CLOSE_DATA, "    else if (recv(data_fd, &(char){ 0 }, 1, 0) < 0 || close(data_fd) < 0)"),
        ("#include <sys/sendfile.h>\n", "#include <sys/sendfile.h>\n#include <sys/socket.h>\n"),
        file=TRANSFER,
    ),
    server(
        "pasv-port-in-host-byte-order", "a port not in network byte order",
        "is_connected_to_for_data[PASV]", "transfer-port",
        (PASV_PORT, "ip[0], ip[1], ip[2], ip[3], port % 256, port / 256"), file=DATA,
    ),
    server(
        "curl-finds-no-port", "a port not in network byte order", "serves_curl[PASV]",
        "data-connection",
        (PASV_PORT, "ip[0], ip[1], ip[2], ip[3], port % 256, port / 256"), file=DATA,
    ),
    server(
        "pasv-tells-0.0.0.0", "PASV tells the address that the server listens on",
        "is_where_it_is_told", "transfer-port",
        (PASV_PORT, "0, 0, 0, 0, port / 256, port % 256"), file=DATA,
    ),
    server(
        "epsv-without-bars", "EPSV's reply is not RFC 2428's",
        "is_connected_to_for_data[EPSV]", "transfer-port",
        ("(|||%u|)", "(%u)"), file=DATA,
    ),
    server(
        "epsv-takes-any-protocol", "wrong reply codes", "knows_the_protocols_of_epsv",
        "reply-code",
        ("    } else if (argument[0] != '\\0' && strcmp(argument, own) != 0) {",
         "    } else if (argument[0] == '!') {"), file=DATA,
    ),
    server(
        "data-over-ipv4-only", "no IPv6", "serves_ipv6", "no-ipv6",
        ("    listen_fd = socket(addr->ss_family,", "    listen_fd = socket(AF_INET,"),
        file=DATA,
    ),
    server(
        "no-list-over-ipv6", "no IPv6", "lists_for_curl", "data-connection",
        ("    listen_fd = socket(addr->ss_family,", "    listen_fd = socket(AF_INET,"),
        file=DATA,
    ),
    server(
        "keeps-old-ports", "a listening socket for each PASV stays",
        "keeps_no_port_that_nobody_used", "descriptor-leak",
        ("    close(data->listen_fd);\n    data->listen_fd = -1;", "    data->listen_fd = -1;"),
        file=DATA,
    ),
    server(
        "takes-the-data-connection-early", "waits for the data connection in PASV",
        "is_connected_to_for_data[PASV]", "transfer-port",
        ("    while ((left = end - now()) > 0) {", "    left = 0;\n    do {"),
        ("            break;                      /* too many open files, perhaps */\n    }",
         "            break;\n    } while (false);"), file=DATA,
    ),
    server(
        "serves-strangers", "a stranger's data connection gets the file",
        "takes_no_strangers_data_connection[RETR]", "port-bounce",
        (ACCEPTED, "        if (conn_fd >= 0)"), file=DATA,
    ),
    server(
        "stores-for-strangers", "a stranger's data connection brings the file",
        "takes_no_strangers_data_connection[STOR]", "port-bounce",
        (ACCEPTED, "        if (conn_fd >= 0)"), file=DATA,
    ),
    server(
        "connects-to-anybody", "a bounce through `PORT`", "connects_to_its_client_only",
        "port-bounce",
        (OWN, "    if (port_of(wanted) < 1024) {"), file=DATA,
    ),
    server(
        "accepts-any-address", "a bounce through `PORT`",
        "accepts_an_address_of_its_client_only", "port-bounce",
        (OWN, "    if (port_of(wanted) < 1024) {"), file=DATA,
    ),
    server(
        "connects-to-all-of-127", "a bounce through `PORT`: any address of the client's network",
        "connects_to_its_client_only", "port-bounce",
        (OWN, "    if (memcmp(&((const struct sockaddr_in *)wanted)->sin_addr,\n"
              "               &((struct sockaddr_in *)&data->peer)->sin_addr, 1) != 0) {"),
        file=DATA,
    ),
    server(
        "connects-to-itself-for-others", "a bounce: the server's own address is allowed",
        "connects_to_its_client_only", "port-bounce",
        (OWN, "    if (!is_same_host(wanted, &data->peer)\n"
              "        && !is_same_host(wanted, &data->own)) {"),
        file=DATA,
    ),
    server(
        "bounces-through-eprt", "a bounce through `EPRT`", "connects_to_its_client_only",
        "port-bounce",
        ("        set_port(&wanted, (unsigned)atoi(port));",
         "        set_port(&wanted, (unsigned)atoi(port));\n"
         "        session->data.peer = wanted;"), file=DATA,
    ),
    server(
        "told-port-in-host-byte-order", "a port not in network byte order: PORT's two bytes",
        "connects_for_data[PORT]", "byte-order",
        ("    memcpy(&addr->sin_port, bytes + 4, 2);",
         "    memcpy(&addr->sin_port, (char[]){ bytes[5], bytes[4] }, 2);"), ANY_PORT,
        file=DATA,
    ),
    server(
        "eprt-port-in-host-byte-order", "a port not in network byte order",
        "connects_for_data[EPRT]", "byte-order",
        ("(unsigned)atoi(port));", "htons((in_port_t)atoi(port)));"), ANY_PORT,
        file=DATA,
    ),
    server(
        "port-with-numbers-beyond-a-byte", "PORT's numbers are not checked",
        "knows_wrong_addresses", "transfer-port",
        (SIX, "        right = number != NULL;"), file=DATA,
    ),
    server(
        "port-with-more-numbers", "what is behind PORT's six numbers is not looked at",
        "knows_wrong_addresses", "transfer-port",
        ("    if (!right || argument != NULL) {", "    if (!right) {"), file=DATA,
    ),
    server(
        "eprt-takes-any-protocol", "wrong reply codes", "knows_wrong_addresses", "reply-code",
        ("    } else if (strcmp(number, own) != 0) {", "    } else if (number == own) {"),
        file=DATA,
    ),
    server(
        "ends-where-nobody-listens", "a data connection that is refused ends the session",
        "says_that_it_cannot_connect", "control-closed",
        ("        reply(session, 425, \"No data connection.\");", "        die(\"connect\");"),
        file=DATA,
    ),
    server(
        "no-word-of-a-refused-connection", "an error is not told", "says_that_it_cannot_connect",
        "control-closed",
        ("        reply(session, 425, \"No data connection.\");", "        complain(\"connect\");"),
        file=DATA,
    ),
    limited("data-connection-within-100-ms", "OPEN_SECONDS", "SO_SNDTIMEO",
            "connects_although_its_syn_is_lost"),
    limited("a-byte-within-100-ms", "STALL_SECONDS", "SO_RCVTIMEO",
            "stores_a_file_from_a_bad_network"),
    server(
        "accepts-for-100-ms", "gives up before TCP does", "waits_for_a_late_data_connection",
        "own-timeout",
        ("now() + OPEN_SECONDS * 1000, left;", "now() + 100, left;"), file=DATA,
    ),
    server(
        "a-command-within-100-ms", "gives up before TCP does", "waits_for_lost_commands",
        "own-timeout",
        ("    return set_patience(fd, SILENCE)",
         "    struct timeval soon = { .tv_usec = 100000 };\n"
         "    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0"),
        ("#include <stdio.h>\n", "#include <stdio.h>\n#include <sys/time.h>\n"),
        file=SESSION,
    ),
]

SEND = "        ssize_t n = sendfile(data_fd, file_fd, &sent, len);"
WITH_FCNTL = ("#include <stdio.h>\n", "#include <fcntl.h>\n#include <stdio.h>\n")
SENT = ("        if (n == 0)\n            return FILE_FAILED;\n"
        "        if (n < 0 && errno != EINTR)\n")
NOBODY = "    (void)session;\n"
RECEIVE = "    while ((n = read_some(data_fd, bytes, sizeof bytes)) > 0) {"
SAVED = "        if (!save(saving, session->ascii ? text : bytes, len))"
ENDED = "    if (n < 0 || !is_client_there(session))"
FINISHED = "    else if (!finish_saving(&saving, true))"
NO_LINKS = "O_RDONLY | O_NOFOLLOW | O_NONBLOCK"


def sends(how: str) -> tuple[str, str]:
    """A buffer of 4 KiB is read from the file and sent as HOW says; N bytes of it are new."""
    return (SEND, "        char part[4096];\n"
                  "        ssize_t n = pread(file_fd, part, sizeof part, sent);\n"
                  f"        if (n > 0)\n            {how};\n"
                  "        sent += n > 0 ? n : 0;")


SENDING = [
    server(
        "sends-strings", "data handled as a C string (cut at NUL)", "sends_files_of_any_size",
        "c-string",
        sends("n = send_all(data_fd, part, strnlen(part, (size_t)n)) < 0 ? -1 : n"),
        file=TRANSFER,
    ),
    server(
        "sends-its-whole-buffer", "`sizeof` or a fixed length sent instead of the bytes read",
        "sends_files_of_any_size", "fixed-length",
        sends("n = send_all(data_fd, part, sizeof part) < 0 ? -1 : n"), file=TRANSFER,
    ),
    server(
        "sends-once", "partial `write` not continued", "waits_for_a_slow_reader",
        "partial-write",
        sends("n = send(data_fd, part, (size_t)n, MSG_DONTWAIT) < 0 && errno != EAGAIN ? -1 : n"),
        ("#include <sys/sendfile.h>\n", "#include <sys/sendfile.h>\n#include <sys/socket.h>\n"),
        file=TRANSFER,
    ),
    server(
        "one-sendfile", "one call, no loop", "waits_for_a_slow_reader", "partial-write",
        (SEND, "        ssize_t n = sendfile(data_fd, file_fd, &sent, 65536);\n"
               "        size = sent;"), file=TRANSFER,
    ),
    server(
        "loses-a-byte-of-each-block", "byte differences at block borders",
        "sends_files_of_any_size", "block-border",
        sends("n = send_all(data_fd, part, (size_t)(n == 4096 ? n - 1 : n)) < 0 ? -1 : n"),
        file=TRANSFER,
    ),
    server(
        "repeats-a-block", "byte differences at block borders", "waits_for_a_slow_reader",
        "block-border",
        (SEND, SEND + "\n        static int again;\n        if (sent == 655360 && !again++)\n"
                      "            sent -= 65536;"),
        file=TRANSFER,
    ),
    server(
        "killed-by-sigpipe", "killed by SIGPIPE", "outlives_a_broken_transfer", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"), file=NET,
    ),
    server(
        "broken-transfer-is-done", "wrong reply codes", "outlives_a_broken_transfer",
        "reply-code",
        ("    default:\n        return BROKEN;", "    default:\n        return DONE;"),
        file=TRANSFER,
    ),
    server(
        "shrunken-file-is-whole", "a cut file told to be whole", "tells_of_a_file_that_shrinks",
        "partial-file",
        (SENT, SENT.replace("FILE_FAILED", "DONE")),
        file=TRANSFER,
    ),
    server(
        "waits-for-a-shrunken-file", "busy waiting for bytes that will not come",
        "tells_of_a_file_that_shrinks", "partial-file",
        (SENT, "        if (n < 0 && errno != EINTR)\n"), file=TRANSFER,
    ),
    server(
        "opens-the-file-again", "a file that is replaced is sent in part",
        "sends_a_file_that_changes_its_name_or_grows", "partial-file",
        WITH_FCNTL,
        (SEND, "        int again = open(\"/files/long\", O_RDONLY);\n"
               "        ssize_t n = sendfile(data_fd, again, &sent, len);\n"
               "        close(again);"),
        file=TRANSFER,
    ),
    server(
        "keeps-the-file-open", "descriptor never closed (leak)", "keeps_nothing_of_a_transfer",
        "descriptor-leak",
        ("                         (data_fd, file_fd, status.st_size));\n    close(file_fd);",
         "                         (data_fd, file_fd, status.st_size));"), file=TRANSFER,
    ),
    server(
        "keeps-listed-folders-open", "descriptor never closed (leak)",
        "keeps_nothing_of_a_transfer", "descriptor-leak",
        ("        closedir(folder);", "        ;"), file=LIST,
    ),
    server(
        "stops-at-a-blank", "names end at a blank", "takes_names_as_they_are", "reply-code",
        ("    char *argument = line + strcspn(line, \" \");",
         "    char *argument = line + strcspn(line, \" \");\n"
         "    if (*argument != '\\0')\n"
         "        argument[1 + strcspn(argument + 1, \" \")] = '\\0';"),
        file=SESSION,
    ),
    server(
        "sends-text-as-it-is", "text-mode translation: none in type A",
        "sends_text_with_network_line_ends", "ascii-type",
        ("session->ascii ? send_text : send_bytes", "false ? send_text : send_bytes"),
        file=TRANSFER,
    ),
    server(
        "translates-in-type-i", "text-mode translation", "sends_files_of_any_size", "text-mode",
        ("session->ascii ? send_text : send_bytes", "true ? send_text : send_bytes"),
        file=TRANSFER,
    ),
    server(
        "begins-in-type-i", "the type is not ASCII until TYPE I",
        "sends_text_with_network_line_ends", "ascii-type",
        (".ascii = true };", ".ascii = false };"), file=SESSION,
    ),
    server(
        "never-back-to-type-a", "TYPE A after TYPE I changes nothing",
        "sends_text_with_network_line_ends", "ascii-type",
        ("        session->ascii = ascii;", "        session->ascii &= ascii;"), file=SESSION,
    ),
    server(
        "text-without-room-for-crs", "text is cut where it has grown",
        "sends_text_with_network_line_ends", "ascii-type",
        ("        if (send_all(data_fd, text, len) < 0)",
         "        if (len > sizeof bytes)\n            len = sizeof bytes;\n"
         "        if (send_all(data_fd, text, len) < 0)"), file=TRANSFER,
    ),
]

BY_ITS_NAME = (
    ("    snprintf(saving->name, sizeof saving->name, \"%s\", name);",
     "    snprintf(saving->name, sizeof saving->name, \"%s\", name);\n"
     "    strcpy(saving->temporary, name);"),
    ("        snprintf(saving->temporary,", "        if (false) snprintf(saving->temporary,"),
)
"""No temporary name."""

STORING = [
    server(
        "tells-a-file-before-it-is-there", "226 comes before the file has its name",
        "stores_files_of_any_size", "partial-file",
        ("    if (outcome != DONE)\n        give_up_saving",
         "    if (outcome == DONE)\n        end_transfer(session, data_fd, outcome);\n"
         "    if (outcome != DONE)\n        give_up_saving"),
        ("    if (outcome == DONE || outcome == BROKEN) {",
         "    if (outcome == DONE)\n        return;\n    if (outcome == BROKEN) {"),
        file=TRANSFER,
    ),
    server(
        "stores-without-a-temporary-name", "cut files kept as whole",
        "replaces_a_file_only_by_a_whole_one", "cut-file-kept",
        *BY_ITS_NAME,
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT | O_TRUNC, 0666);"),
        file=FILES,
    ),
    server(
        "ends-with-a-cut-file", "cut files kept as whole: the server's end leaves one",
        "ends_whatever_its_clients_do", "cut-file-kept",
        *BY_ITS_NAME,
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT | O_TRUNC, 0666);"),
        ("    if (current != NULL)\n        unlinkat",
         "    if (current == NULL)\n        unlinkat"),
        file=FILES,
    ),
    server(
        "removes-nothing", "cut files stay under their temporary name", "keeps_no_cut_file",
        "left-over-file",
        ("    unlinkat(saving->folder, saving->temporary, 0);\n    current = NULL;",
         "    current = NULL;"), file=FILES,
    ),
    server(
        "a-reset-is-an-end-of-file", "cut files kept as whole", "keeps_no_cut_file",
        "cut-file-kept",
        (ENDED, "    if (false)"), file=TRANSFER,
    ),
    server(
        "keeps-what-there-is", "cut files kept as whole: an error is told, the file stays",
        "keeps_no_cut_file", "cut-file-kept",
        ("    if (outcome != DONE)\n        give_up_saving(&saving);\n    else if",
         "    if"), file=TRANSFER,
    ),
    server(
        "one-temporary-name-for-all", "two uploads write to the same file",
        "keeps_two_uploads_apart", "cut-file-kept",
        ("number & 0xffffff", "7u"),
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT, 0666);"), file=FILES,
    ),
    server(
        "full-disk-is-no-matter", "a full disk is not told", "outlives_a_full_disk",
        "disk-full",
        (SAVED, SAVED[:-1] + "\n            && errno != ENOSPC)"),
        file=TRANSFER,
    ),
    server(
        "full-disk-ends-the-session", "a full disk ends more than the transfer",
        "outlives_a_full_disk", "disk-full",
        (SAVED + "\n            return outcome_of(errno);",
         SAVED + "\n            die(\"write\");"),
        file=TRANSFER,
    ),
    server(
        "writes-a-part", "partial `write` not continued", "outlives_a_full_disk", "disk-full",
        ("        if (n > 0) {                    /* perhaps only a part: go on there */\n",
         "        return true;\n        if (n > 0) {\n"),
        ("        if (n < 0 && errno != EINTR)\n            return false;               /*",
         "        if (n < 0 && errno == EBADF)\n            return false;               /*"),
        file=FILES,
    ),
    server(
        "no-word-of-a-closed-folder", "that nothing can be written is not told",
        "says_that_it_cannot_write", "disk-full",
        ("? DISK_FULL : 550,", "? DISK_FULL : why == EROFS ? 226 : 550,"), file=TRANSFER,
    ),
    server(
        "appends", "an old file is not replaced", "replaces_an_old_file", "cut-file-kept",
        *BY_ITS_NAME,
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT, 0666);"), file=FILES,
    ),
    server(
        "reads-once", "one read, no loop", "stores_files_of_any_size", "partial-file",
        (RECEIVE, "    if ((n = read_some(data_fd, bytes, sizeof bytes)) > 0) {"), file=TRANSFER,
    ),
    server(
        "stores-strings", "data handled as a C string (cut at NUL)", "stores_files_of_any_size",
        "c-string",
        (RECEIVE, "    while ((n = read_some(data_fd, bytes, sizeof bytes - 1)) > 0) {\n"
                  "        bytes[n] = '\\0';\n        n = (ssize_t)strlen(bytes);"), file=TRANSFER,
    ),
    server(
        "stores-its-whole-buffer", "a fixed length written instead of the bytes read",
        "stores_files_of_any_size", "fixed-length",
        ("        size_t len = (size_t)n;\n        if (session->ascii)",
         "        size_t len = sizeof bytes;\n        if (session->ascii)"), file=TRANSFER,
    ),
    server(
        "stores-text-as-it-is", "in type A CR LF is kept",
        "stores_text_with_its_own_line_ends", "ascii-type",
        ("        if (session->ascii)\n            len =", "        if (false)\n            len ="),
        (SAVED, "        if (!save(saving, bytes, len))"), file=TRANSFER,
    ),
    server(
        "stores-no-cr-at-all", "text-mode translation: each CR is dropped",
        "stores_text_with_its_own_line_ends", "ascii-type",
        ("        if (*cr_held && from[i] != '\\n')", "        if (false)"), file=TRANSFER,
    ),
    server(
        "forgets-the-cr-of-the-last-segment", "CR LF across two segments is kept",
        "stores_text_with_its_own_line_ends", "ascii-type",
        ("    size_t made = 0;\n", "    size_t made = 0;\n\n    if (*cr_held && !to_network)\n"
         "        to[made++] = '\\r';\n    *cr_held = false;\n"), file=TRANSFER,
    ),
    server(
        "translates-stored-bytes", "text-mode translation in type I",
        "stores_files_of_any_size", "text-mode",
        ("        if (session->ascii)\n            len =", "        if (true)\n            len ="),
        (SAVED, "        if (!save(saving, text, len))"), file=TRANSFER,
    ),
]

OPEN_BELOW = "        ? open_file_in(session->served->folder, path) : -1;"
LOOK = "    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)\n        return -1;"
TYPE = "    if ((status.st_mode & S_IFMT) != type)\n        return -1;"
TYPE_AGAIN = "    if (fstat(fd, &status) < 0 || (status.st_mode & S_IFMT) != type) {"
LISTED = "        && (fd = open_folder_in(top, path)) < 0)"
BEGIN = "        || !begin_saving(&saving, session->served->folder, path)) {"


def opens(name: str, fault: str, condition: str) -> KnownWrong:
    """Files are opened by the name that came, where CONDITION is true."""
    return server(
        name, f"path traversal: {fault}", "never_leaves_its_folder", "path-traversal",
        (OPEN_BELOW, f"        ? {condition} ? openat(session->served->folder, name, O_RDONLY)\n"
         "          : open_file_in(session->served->folder, path) : -1;"),
        WITH_FCNTL, file=TRANSFER)


FOLDERS = [
    opens("opens-what-it-is-told", "the name goes to open() as it is", "true"),
    opens("looks-for-dots-in-front", "only a leading .. is refused",
          "strncmp(name, \"..\", 2) != 0"),
    opens("looks-for-dots", "absolute names go through", "strstr(name, \"..\") == NULL"),
    opens("looks-for-a-slash-in-front", "only a leading / is refused", "name[0] != '/'"),
    server(
        "compares-the-beginning", "path traversal: realpath() and strncmp()",
        "never_leaves_its_folder", "path-traversal",
        (OPEN_BELOW, "        ? open_file_in(session->served->folder, path) : -1;\n"
         "    char top[PATH_MAX], real[PATH_MAX], all[2 * PATH_MAX];\n"
         "    sprintf(all, \"/proc/self/fd/%d\", session->served->folder);\n"
         "    if (realpath(all, top) != NULL) {\n"
         "        sprintf(all, \"%s/%s\", top, name);\n"
         "        if (realpath(all, real) != NULL && strncmp(real, top, strlen(top)) == 0)\n"
         "            file_fd = open(real, O_RDONLY);\n    }"),
        ("#include <string.h>\n", "#include <fcntl.h>\n#include <stdlib.h>\n#include <string.h>\n"),
        file=TRANSFER,
    ),
    server(
        "lists-any-folder", "path traversal in LIST and NLST", "never_leaves_its_folder",
        "path-traversal",
        (LISTED, "        && (fd = openat(top, name[0] ? name : \".\",\n"
                 "                        O_RDONLY | O_DIRECTORY)) < 0)"),
        file=LIST,
    ),
    server(
        "stores-anywhere", "path traversal in STOR", "never_leaves_its_folder", "path-traversal",
        (BEGIN, "        || fchdir(session->served->folder) < 0\n"
                "        || !begin_saving_as(&saving, name)) {"), file=TRANSFER,
    ),
    server(
        "follows-links-to-files", "symbolic-link escape", "follows_no_symbolic_link",
        "symlink-escape",
        (LOOK, LOOK.replace("AT_SYMLINK_NOFOLLOW", "type == S_IFREG ? 0 : AT_SYMLINK_NOFOLLOW")),
        (NO_LINKS, "O_RDONLY | O_NONBLOCK"), file=FILES,
    ),
    server(
        "follows-links-to-folders", "symbolic-link escape", "follows_no_symbolic_link",
        "symlink-escape",
        (LOOK, LOOK.replace("AT_SYMLINK_NOFOLLOW", "type == S_IFDIR ? 0 : AT_SYMLINK_NOFOLLOW")),
        (NO_LINKS, "O_RDONLY | O_NONBLOCK"), file=FILES,
    ),
    server(
        "looks-at-the-last-name-only", "symbolic-link escape: links on the way are followed",
        "follows_no_symbolic_link", "symlink-escape",
        ("            below = open_in(here, name, S_IFDIR);",
         "            below = openat(here, name, O_RDONLY | O_DIRECTORY);"), file=FILES,
    ),
    server(
        "writes-through-links", "symbolic-link escape in STOR", "follows_no_symbolic_link",
        "symlink-escape",
        (BEGIN, "        || (fchdir(session->served->folder),\n"
                "            close(open(name, O_WRONLY | O_TRUNC)),\n"
                "            !begin_saving(&saving, session->served->folder, path))) {"),
        WITH_FCNTL, file=TRANSFER,
    ),
    server(
        "lists-through-links", "symbolic-link escape in LIST", "follows_no_symbolic_link",
        "symlink-escape",
        (LISTED, "        && (fd = openat(top, path[0] ? path + 1 : \".\",\n"
                 "                        O_RDONLY | O_DIRECTORY)) < 0)"),
        file=LIST,
    ),
    server(
        "waits-for-a-fifos-writer", "a FIFO taken for a file", "sends_regular_files_only",
        "not-a-file",
        (TYPE, ""), (NO_LINKS, "O_RDONLY | O_NOFOLLOW"), file=FILES,
    ),
    server(
        "serves-devices", "a device taken for a file", "sends_no_device", "not-a-file",
        (TYPE, "    if ((status.st_mode & S_IFMT) != type && !S_ISCHR(status.st_mode))\n"
               "        return -1;"),
        (TYPE_AGAIN, "    if (fstat(fd, &status) < 0) {"), file=FILES,
    ),
    server(
        "size-of-a-folder", "a folder taken for a file", "sends_regular_files_only",
        "not-a-file",
        ("(file_fd = open_named(session, name, &status)) < 0) {",
         "(file_fd = open_named(session, name, &status)) < 0\n"
         "               && (file_fd = dup(session->served->folder)) < 0) {"), file=TRANSFER,
    ),
    server(
        "list-with-lf-alone", "lists end their lines with LF", "lists_its_files[PASV]",
        "ascii-type",
        ("%s%s\\r\\n", "%s%s\\n"), file=LIST,
    ),
    server(
        "long-names-in-nlst", "NLST tells more than names", "lists_its_files[PASV]",
        "partial-file",
        ("    list(session, name, false);", "    list(session, name, true);"), file=LIST,
    ),
    server(
        "lists-the-top-only", "LIST and NLST pass over their argument", "lists_its_files[EPSV]",
        "partial-file",
        ("    if (path_of(session, name, path)", "    if (path_of(session, \"/\", path)"),
        file=LIST,
    ),
    server(
        "lists-the-folder-it-began-in", "lists pass over CWD", "lists_its_files[PORT]",
        "partial-file",
        ("    if (path_of(session, name, path)",
         "    if (snprintf(path, sizeof path, \"/%s\", name) > 0"), file=LIST,
    ),
    server(
        "lists-a-hundred-names", "a list of fixed size", "lists_many_files", "partial-file",
        ("        if (name[0] != '.' &&", "        static int told;\n"
         "        if (++told < 100 && name[0] != '.' &&"), file=LIST,
    ),
    server(
        "lists-nowhere", "that there is no such folder is not told", "lists_many_files",
        "no-error-told",
        ("    if (fd < 0) {\n        refuse(session, name);\n        return;\n    }\n",
         "    if (fd < 0)\n        fd = dup(top);\n"), file=LIST,
    ),
    server(
        "lists-without-names", "LIST does not tell names", "lists_its_files[EPRT]",
        "partial-file",
        ("\"%s%s\\r\\n\", about, name)", "\"%s%s\\r\\n\", about, is_long ? \"\" : name)"),
        file=LIST,
    ),
]

KNOWN_WRONG = CONNECTIONS + SENDING + STORING + FOLDERS
