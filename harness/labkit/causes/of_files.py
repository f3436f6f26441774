"""Faults of programs that transfer files: lab 04."""

from __future__ import annotations

from labkit.causes.cause import Cause

OF_FILES = {
    "anonymous-writes": Cause(
        "Whoever comes without an account may write. Anonymous users read only, and with "
        "-u USER:PASSWORD they are not let in at all.",
        "RFC 959 section 4.1.1, USER and PASS; RFC 1635",
    ),
    "ascii-type": Cause(
        "In type ASCII the line ends are not translated. On the wire a line ends with CR LF; here "
        "with LF alone. ASCII is what a session begins with, until TYPE I.",
        "RFC 959 sections 3.1.1.1 and 3.4; RFC 3659 section 2",
    ),
    "bad-options": Cause(
        "The options are not agreed on as they should be. OACK names only options that were asked "
        "for, with values that the other side can live with; unknown ones are passed over; and "
        "without an option in the request there is no OACK.",
        "RFC 2347; RFC 2348, RFC 2349, RFC 7440 for each option",
    ),
    "block-border": Cause(
        "The file differs at the border of a block or of a buffer: bytes are missing, twice there "
        "or shifted where one ends and the next begins. A read() or write() may do less than it "
        "was asked to, and the next must go on exactly there.",
        "read(2) and write(2), RETURN VALUE; pread(2)",
    ),
    "block-wrap": Cause(
        "The number of a block has 16 bits and no sign: after 32,767 comes 32,768, and after "
        "65,535 comes 0. What counts blocks needs more bits, and only the low 16 go on the wire "
        "and are compared.",
        "RFC 1350 section 5; uint16_t; RFC 7440 section 4",
    ),
    "control-closed": Cause(
        "The control connection ends with the first transfer. It carries commands and replies "
        "until QUIT; each transfer has a data connection of its own, and only that one is closed.",
        "RFC 959 sections 2.3 and 3.2",
    ),
    "cut-file-kept": Cause(
        "A file that came only in part is kept as if it were whole, or can be seen under its name "
        "before it is. Write to a temporary name in the same folder, and rename it once the "
        "transfer has been told to be complete; else remove it.",
        "rename(2); RFC 959 section 5.4, replies 226 and 426; RFC 1350 section 6",
    ),
    "data-connection": Cause(
        "The file does not travel on a data connection of its own: each transfer has a new one, "
        "opened for it and closed after it. Without MODE B or C its end is the end of the file.",
        "RFC 959 sections 3.2 and 3.3; RFC 2428",
    ),
    "disk-full": Cause(
        "That the disk is full, or cannot be written to, is not told, or ends more than this one "
        "transfer. write() fails with ENOSPC, or close() does; the other side has to hear of it, "
        "and nothing of the file may stay.",
        "write(2), ENOSPC; RFC 959 section 4.2, replies 452 and 552; RFC 1350, error 3",
    ),
    "error-packet": Cause(
        "An ERROR packet is not built as it should be: opcode 5 and the error's code, two bytes "
        "each, then the message, and behind it a NUL, which is sent, too: its length is "
        "strlen() + 1.",
        "RFC 1350 section 5, figure 5-4",
    ),
    "file-overwritten": Cause(
        "An old file is overwritten. Over TFTP only new files may be written; that the name was "
        "free at the beginning is not enough, as two may write at once: link() or O_EXCL decides.",
        "RFC 1350, error 6; open(2), O_EXCL; link(2)",
    ),
    "last-block": Cause(
        "The end of the file is missed. A block with less data than the block size is the last "
        "one; so a file that fills its last block needs one more, with no data at all.",
        "RFC 1350 sections 2 and 6",
    ),
    "left-over-file": Cause(
        "A file that nobody asked for stays behind: a temporary one that was neither renamed nor "
        "removed.",
        "unlink(2); rename(2)",
    ),
    "name-line": Cause(
        "The line with the file's name is not what it should be, or not taken as such. It is the "
        "base name and a newline, nothing more; the file begins right behind it, perhaps in the "
        "same segment.",
        "basename(3); recv(2), RETURN VALUE",
    ),
    "no-error-told": Cause(
        "That there is no such file is not told to the other side, or not to the user: an error "
        "reply or packet, a line on stderr, exit status 1.",
        "RFC 959 section 4.2, reply 550; RFC 1350, error 1; exit(3)",
    ),
    "no-login": Cause(
        "Files can be reached without a login, or with a wrong password. Until PASS was answered "
        "with 230 every command for files gets 530.",
        "RFC 959 section 5.4, 530; section 4.1.1, USER and PASS",
    ),
    "not-a-file": Cause(
        "A folder, a FIFO or a device is taken for a file. To open a FIFO blocks until somebody "
        "writes to it, and a device never ends: open with O_NONBLOCK, and let fstat() tell.",
        "open(2), O_NONBLOCK; fstat(2), S_ISREG; fifo(7)",
    ),
    "partial-file": Cause(
        "The file that arrives is not the file that was sent: bytes are missing at its end, or "
        "nothing was written.",
        "read(2) and write(2), RETURN VALUE; close(2)",
    ),
    "path-traversal": Cause(
        "A name leads out of the folder that is served: with .. in it, or with a / in front. Take "
        "the name apart at each / and walk down from the folder's descriptor; the beginning of a "
        "string tells nothing.",
        "openat(2); path_resolution(7); openat2(2), RESOLVE_BENEATH",
    ),
    "port-bounce": Cause(
        "The data connection goes to a third host or port that the client named, or comes from "
        "one. PORT and EPRT to any address but the client's own are refused: otherwise the server "
        "can be sent to attack others.",
        "RFC 2577 section 3; RFC 959, PORT; RFC 2428, EPRT",
    ),
    "reply-code": Cause(
        "The reply's code is not the one for this case. Programs read the three digits, not the "
        "words: the first says whether it went well, the second what it is about.",
        "RFC 959 sections 4.2 and 5.4",
    ),
    "reply-lines": Cause(
        "A reply is taken wrongly: it may come in parts, or several at once, and one with a - "
        "behind its code goes on until a line with the same code and a space.",
        "RFC 959 section 4.2",
    ),
    "same-port": Cause(
        "The transfer goes on from the port of the request. The server takes a new port for each "
        "transfer; those two ports are what tells transfers apart.",
        "RFC 1350 section 4, TIDs",
    ),
    "shared-folder": Cause(
        "What is one client's is another's, too: the folder it has gone to, or the bytes that are "
        "under way. chdir() changes the folder for the whole process, and a global or static "
        "variable is one for all threads: such things belong to the session.",
        "chdir(2), fork(2); RFC 959 section 4.1.1, CWD",
    ),
    "shared-offset": Cause(
        "A later client does not get the file from its beginning: the offset of an open file is "
        "one for all who share the descriptor, and stays at the end where the last one left it.",
        "lseek(2); pread(2); sendfile(2), offset",
    ),
    "sorcerers-apprentice": Cause(
        "A duplicated ACK calls forth the next blocks a second time, and each of these another "
        "ACK: from then on every block goes twice. Only an ACK that is new moves the transfer on; "
        "an old one is not answered, the timer alone repeats.",
        "RFC 1123 section 4.2.3.1, Sorcerer's Apprentice Syndrome",
    ),
    "strange-port": Cause(
        "A packet from another port takes part in the transfer. Each side keeps the port that the "
        "other answered from first; anyone else is told so (ERROR 5) and changes nothing.",
        "RFC 1350 section 4",
    ),
    "symlink-escape": Cause(
        "A symbolic link leads out of the folder. To check the path first and open it then leaves "
        "a moment for a link to be made in between: open each part with O_NOFOLLOW, from the "
        "descriptor of the one before.",
        "openat(2), O_NOFOLLOW; symlink(7); openat2(2), RESOLVE_NO_SYMLINKS",
    ),
    "text-mode": Cause(
        "The file is handled as text: line ends are translated, or the bytes are read and written "
        "line by line or up to a NUL. A transfer of type I, or of mode octet, changes nothing.",
        "RFC 959 section 3.1.1.3; RFC 1350 section 1, octet; fread(3)",
    ),
    "transfer-port": Cause(
        "The address of the data connection is told or taken wrongly. PASV and PORT name it in six "
        "decimal numbers, the port as high byte and low byte; EPSV and EPRT between bars.",
        "RFC 959 section 5.3.2, PORT; RFC 2428",
    ),
    "unbounded": Cause(
        "What comes from the network is kept without a bound: a line, a path, the number of "
        "sessions or transfers. Beyond its bound it has to be refused, and all else goes on.",
        "RFC 959 section 4.2, replies 421 and 500; setrlimit(2)",
    ),
    "vanished-client": Cause(
        "A client that is gone, or says nothing any more, keeps the server busy: others wait, or "
        "its process, port or descriptors stay for ever. Each wait needs an end.",
        "poll(2), timeout; RFC 1350 section 2; RFC 1123 section 4.2.3.2",
    ),
    "wrong-block": Cause(
        "Blocks and acknowledgements do not match: every DATA waits for the ACK of the same number "
        "(with a window, for that of its last block), an OACK for ACK 0 or DATA 1, and what comes "
        "again is acknowledged again, but not written again.",
        "RFC 1350 sections 2 and 5; RFC 7440 section 4",
    ),
}
"""By short key."""
