"""Lab 04: `server`, the FTP server, wrong in what is each session's own, and in its fine points."""

from __future__ import annotations

from known_wrong.lab_04_server import DATA, LAB, NET, PATHS, SESSION, TRANSFER, server
from known_wrong.lab_04_server_files import LIST, WITH_FCNTL

__all__ = ["KNOWN_WRONG", "LAB"]

THREADS = "server-threads"

SHARED = (
    "/* -- Login",
    "#include <sys/mman.h>\n\nstatic bool *shared;\n\n"
    "__attribute__((constructor)) static void share(void)\n{\n"
    "    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n"
    "}\n\n/* -- Login")
"""A variable that all sessions have in common."""
ANONYMOUS = "strcmp(name, \"anonymous\") == 0"
CHECK = "    bool same = given_len == len;"
FORGET = "    session->logged_in = false;\n"
OBEY = "        command->run(session, argument);"
NEEDS = "command->needs_login && !session->logged_in"
NO_DATA = "    conn_fd = data->active ? connect_data(data) : accept_data(session);"
SAME_HOST = ("    return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr)\n"
             "        && a6->sin6_scope_id == b6->sin6_scope_id;")
PUT = "        if (!put(fd, binary ? part : text, len))"
MEANWHILE = (PUT, "        usleep(200);\n" + PUT)
"""Time for another thread, between the filling of a buffer and its use."""

APART = [
    server(
        "one-login-for-all", "login not enforced: one client's is everybody's",
        "lets_in_only_who_has_logged_in", "no-login",
        (FORGET + "    session->named", "    *shared = false;\n    session->named"),
        ("        session->logged_in = true;", "        *shared = true;"),
        (NEEDS, "command->needs_login && !*shared"), SHARED, file=SESSION,
    ),
    server(
        "one-type-for-all", "TYPE I of one client is for all", "keeps_each_clients_type",
        "ascii-type",
        ("        session->ascii = ascii;", "        *shared = !ascii;"),
        (OBEY, "        session->ascii = !*shared,\n" + OBEY), SHARED, file=SESSION,
    ),
    server(
        "one-buffer-for-all-it-sends", "a buffer that all threads have in common",
        "sends_to_each_client_its_own[I]", "shared-folder",
        ("    char part[PART], text[2 * PART];\n    FILE *file",
         "    static char part[PART], text[2 * PART];\n    FILE *file"), base=THREADS,
    ),
    server(
        "one-buffer-for-all-text-it-sends", "a buffer that all threads have in common",
        "sends_to_each_client_its_own[A]", "shared-folder",
        ("    char part[PART], text[2 * PART];\n    FILE *file",
         "    char part[PART];\n    static char text[2 * PART];\n    FILE *file"), base=THREADS,
    ),
    server(
        "one-buffer-for-all-it-stores", "a buffer that all threads have in common",
        "stores_for_each_client_its_own[I]", "shared-folder",
        ("    char part[PART], text[PART + 1];", "    static char part[PART], text[PART + 1];"),
        MEANWHILE, base=THREADS,
    ),
    server(
        "one-buffer-for-all-text-it-stores", "a buffer that all threads have in common",
        "stores_for_each_client_its_own[A]", "shared-folder",
        ("    char part[PART], text[PART + 1];",
         "    char part[PART];\n    static char text[PART + 1];"), MEANWHILE, base=THREADS,
    ),
]

LOGINS = [
    server(
        "anonymous-and-more", "login not enforced: strncmp() with the name's length",
        "lets_anonymous_users_only_read", "no-login",
        (ANONYMOUS, "strncmp(name, \"anonymous\", 9) == 0"), file=SESSION,
    ),
    server(
        "root-without-an-account", "without -u another than anonymous is let in",
        "lets_anonymous_users_only_read", "no-login",
        (ANONYMOUS, "strcmp(name, \"root\") == 0 || " + ANONYMOUS), file=SESSION,
    ),
    server(
        "ftp-besides-the-account", "with -u the user ftp is let in, without a password",
        "checks_user_and_password", "no-login",
        ("session->right_name = user != NULL ? is_same(name, user)",
         "session->logged_in = strcmp(name, \"ftp\") == 0;\n"
         "    session->right_name = user != NULL ? is_same(name, user)"), file=SESSION,
    ),
    server(
        "eight-letters-of-a-password", "login not enforced: a fixed length is compared",
        "checks_the_whole_password", "no-login",
        (CHECK, "    if (len > 8)\n        len = 8;\n    if (given_len > 8)\n"
                "        given_len = 8;\n" + CHECK), file=SESSION,
    ),
    server(
        "sixty-four-bytes-for-a-name", "strcpy() into an array that is too small",
        "takes_any_byte_in_a_line", "unbounded",
        (FORGET, "    char copy[64];\n    strcpy(copy, name);\n"
                 "    asm volatile(\"\" :: \"r\"(copy) : \"memory\");\n" + FORGET), file=SESSION,
    ),
    server(
        "no-password-at-all", "PASS without a parameter ends the session",
        "takes_any_byte_in_a_line", "unbounded",
        ("    if (!session->named) {",
         "    if (password[0] == '\\0')\n        _exit(1);\n    if (!session->named) {"),
        file=SESSION,
    ),
    server(
        "small-letters-need-no-login", "login not enforced for commands in small letters",
        "needs_a_login", "no-login",
        (NEEDS, NEEDS + " && strcmp(line, command->name) == 0"), file=SESSION,
    ),
]

COMMANDS = [
    server(
        "forgets-commands-at-a-transfer", "bytes behind a line are thrown away at a transfer",
        "forgets_no_command_behind_a_transfer", "single-read",
        ("    reply(session, 150, \"Opening", "    session->lines.next = session->lines.end;\n"
                                              "    reply(session, 150, \"Opening"), file=DATA,
    ),
    server(
        "wrong-type-is-type-a", "TYPE with an unknown type changes the type",
        "refuses_what_it_does_not_understand", "text-mode",
        ("        reply(session, 504, \"Types", "        session->ascii = true;\n"
                                               "        reply(session, 504, \"Types"),
        file=SESSION,
    ),
    server(
        "cwd-without-a-name", "CWD without a parameter ends the session",
        "refuses_what_it_does_not_understand", "control-closed",
        ("        reply(session, 501, \"%s what?\", command->name);",
         "        command->name[0] == 'C' ? _exit(1)\n"
         "            : reply(session, 501, \"%s what?\", command->name);"), file=SESSION,
    ),
    server(
        "pwd-tells-dots", "PWD tells another path than that of the folder",
        "goes_from_folder_to_folder", "messages",
        ("    strcpy(session->folder, path);",
         "    if (name[0] != '/' && strstr(name, \"../\") != NULL)\n"
         "        strcat(strcat(session->folder, \"/\"), name);\n"
         "    else\n        strcpy(session->folder, path);"), file=PATHS,
    ),
    server(
        "cdup-at-the-top", "CDUP at the top ends the session", "goes_from_folder_to_folder",
        "control-closed",
        ("    do_cwd(session, \"..\");",
         "    if (session->folder[0] == '\\0')\n        _exit(1);\n    do_cwd(session, \"..\");"),
        file=PATHS,
    ),
]

ADDRESSES = [
    server(
        "pasv-tells-127.0.0.1", "PASV tells another address than the client has come to",
        "is_where_it_is_told", "transfer-port",
        ("    memcpy(ip, &own->sin_addr, sizeof ip);",
         "    memcpy(ip, \"\\177\\0\\0\\1\", sizeof ip);"), file=DATA,
    ),
    server(
        "any-host-by-ipv6", "a bounce through `EPRT` over IPv6",
        "connects_to_its_client_only_by_ipv6", "port-bounce",
        (SAME_HOST, "    return true;"), file=NET,
    ),
    server(
        "any-host-of-a-net-by-ipv6", "a bounce through `EPRT`: a part of the address is compared",
        "connects_to_its_client_only_by_ipv6", "port-bounce",
        (SAME_HOST, "    return memcmp(&a6->sin6_addr, &b6->sin6_addr, 4) == 0;"), file=NET,
    ),
    server(
        "passive-once-and-for-all", "after PASV and PORT it waits to be connected to",
        "uses_the_address_that_was_told_last", "transfer-port",
        ("    forget_data(session);\n\n    /* STEP 10", "    /* STEP 10"),
        (NO_DATA, "    conn_fd = data->listen_fd < 0 ? connect_data(data)"
                  " : accept_data(session);"), file=DATA,
    ),
    server(
        "active-once-and-for-all", "after PORT and PASV it connects",
        "uses_the_address_that_was_told_last", "transfer-port",
        ("    forget_data(session);\n    data->listen_fd = listen_at(&addr);",
         "    bool active = data->active;\n    forget_data(session);\n"
         "    data->active = active;\n    data->listen_fd = listen_at(&addr);"), file=DATA,
    ),
]

FILES = [
    server(
        "keeps-the-file-open-without-a-connection", "descriptor never closed (leak) after 425",
        "keeps_nothing_of_a_transfer", "descriptor-leak",
        ("    fclose(file);\n}\n\n/* Everything",
         "    if (fd >= 0)\n        fclose(file);\n}\n\n/* Everything"), base=THREADS,
    ),
    server(
        "replaces-a-fifo", "a FIFO taken for a file that may be replaced",
        "sends_regular_files_only", "not-a-file",
        ("    return S_ISREG(status.st_mode)\n        &&",
         "    return (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode))\n        &&"),
        file="files.c",
    ),
    server(
        "stores-from-the-top", "STOR takes paths from the top", "stores_where_it_is_told",
        "no-error-told",
        ("    if (session->served->user == NULL || !path_of(session, name, path)",
         "    char whole[LINE_SIZE + 1];\n"
         "    snprintf(whole, sizeof whole, \"/%s\", name);\n"
         "    if (session->served->user == NULL\n"
         "        || !path_of(session, strchr(name, '/') != NULL ? whole : name, path)"),
        file=TRANSFER,
    ),
    server(
        "drops-the-last-cr", "text-mode translation: a CR at the end of a file is lost",
        "stores_text_with_its_own_line_ends", "ascii-type",
        ("    return !cr_held || save(saving, \"\\r\", 1) ? DONE : outcome_of(errno);",
         "    return DONE;"), file=TRANSFER,
    ),
    server(
        "opens-what-it-is-told-below", "path traversal from a folder below the top",
        "never_leaves_its_folder_from_below", "path-traversal",
        ("        ? open_file_in(session->served->folder, path) : -1;\n",
         "        ? open_file_in(session->served->folder, path) : -1;\n"
         "    if (session->folder[0] != '\\0' && name[0] != '/') {\n"
         "        char whole[PATH_MAX + LINE_SIZE];\n"
         "        sprintf(whole, \"%s/%s\", session->folder + 1, name);\n"
         "        close(file_fd);\n"
         "        file_fd = openat(session->served->folder, whole, O_RDONLY | O_NOFOLLOW);\n"
         "    }\n"), WITH_FCNTL, file=TRANSFER,
    ),
    server(
        "stores-what-it-is-told-below", "path traversal in STOR from a folder below the top",
        "never_leaves_its_folder_from_below", "path-traversal",
        ("        || !begin_saving(&saving, session->served->folder, path)) {",
         "        || fchdir(session->served->folder) < 0\n"
         "        || (session->folder[0] != '\\0' && chdir(session->folder + 1) < 0)\n"
         "        || !(session->folder[0] == '\\0' || name[0] == '/'\n"
         "             ? begin_saving(&saving, session->served->folder, path)\n"
         "             : begin_saving_as(&saving, name))) {"), file=TRANSFER,
    ),
    server(
        "goes-out-from-below", "path traversal in CWD from a folder below the top",
        "never_leaves_its_folder_from_below", "path-traversal",
        ("    strcpy(session->folder, path);",
         "    if (session->folder[0] != '\\0' && strncmp(name, \"../..\", 5) == 0)\n"
         "        session->served = &(struct served){\n"
         "            openat(session->served->folder, \"..\", O_RDONLY),\n"
         "            session->served->user, session->served->password };\n"
         "    strcpy(session->folder, path);"),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <fcntl.h>\n"), file=PATHS,
    ),
    server(
        "lists-by-a-shell", "input from the network reaches a shell",
        "gives_no_name_to_a_shell", "path-traversal",
        ("    if (path_of(session, name, path)\n        && (fd = open_folder_in(top, path)) < 0)",
         "    char run[LINE_SIZE + 64];\n"
         "    snprintf(run, sizeof run, \"cd /proc/self/fd/%d && ls \\\"%s\\\"\", top, name);\n"
         "    system(run);\n"
         "    if (path_of(session, name, path)\n        && (fd = open_folder_in(top, path)) < 0)"),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <stdlib.h>\n"), file=LIST,
    ),
    server(
        "ends-when-it-lists-a-file", "NLST of a file ends the session", "lists_many_files",
        "control-closed",
        ("        return send_line(data_fd, name, &status, is_long) ? DONE : BROKEN;",
         "        _exit(1);"), file=LIST,
    ),
    server(
        "lists-anything-behind-an-option", "path traversal in LIST behind an option",
        "never_leaves_its_folder_from_below", "path-traversal",
        ("    while (name[0] == '-') {",
         "    bool option = name[0] == '-';\n    while (name[0] == '-') {"),
        ("    if (path_of(session, name, path)\n        && (fd = open_folder_in(top, path)) < 0)",
         "    strcpy(path, \"/\");\n"
         "    if (option)\n"
         "        fd = openat(top, name, O_RDONLY | O_DIRECTORY);\n"
         "    else if (path_of(session, name, path)\n"
         "             && (fd = open_folder_in(top, path)) < 0)"),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <fcntl.h>\n"), file=LIST,
    ),
]

KNOWN_WRONG = APART + LOGINS + COMMANDS + ADDRESSES + FILES
