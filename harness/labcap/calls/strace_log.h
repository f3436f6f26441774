/* strace_log.h - logs of strace: the calls that may touch a socket, with the times they can have
 * begun and ended.
 *
 * The beginning of a call is stamped before the kernel does anything for it. Its duration is
 * measured from a later moment, when strace has written the line, so that beginning + duration is
 * early; the end of the thread's call lies between that and the thread's next stamp. A line that
 * strace had to divide (unfinished, resumed) is put together again.
 *
 * Nothing of a log is trusted: lines are made printable before they are looked at, and what is
 * kept has bounds (CALLS_MAX, TEXT_MAX). */
#ifndef LABCAP_STRACE_LOG_H
#define LABCAP_STRACE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bound.h"
#include "strace_line.h"

/* Calls of interest. The order is that of the table in strace_names.c. */
enum traced_name {
    NAME_ACCEPT,
    NAME_ACCEPT4,
    NAME_BIND,
    NAME_CLONE,
    NAME_CLONE3,
    NAME_CLOSE,
    NAME_CLOSE_RANGE,
    NAME_CONNECT,
    NAME_DUP,
    NAME_DUP2,
    NAME_DUP3,
    NAME_EPOLL_CTL,
    NAME_EPOLL_PWAIT,
    NAME_EPOLL_PWAIT2,
    NAME_EPOLL_WAIT,
    NAME_EXECVE,
    NAME_EXIT,
    NAME_EXIT_GROUP,
    NAME_FCNTL,
    NAME_FORK,
    NAME_GETPEERNAME,
    NAME_GETSOCKNAME,
    NAME_GETSOCKOPT,
    NAME_LISTEN,
    NAME_POLL,
    NAME_PPOLL,
    NAME_PSELECT6,
    NAME_READ,
    NAME_READV,
    NAME_RECV,
    NAME_RECVFROM,
    NAME_RECVMMSG,
    NAME_RECVMSG,
    NAME_SELECT,
    NAME_SEND,
    NAME_SENDFILE,
    NAME_SENDMMSG,
    NAME_SENDMSG,
    NAME_SENDTO,
    NAME_SETSOCKOPT,
    NAME_SHUTDOWN,
    NAME_SOCKET,
    NAME_SPLICE,
    NAME_VFORK,
    NAME_WRITE,
    NAME_WRITEV,
    NAME_SIGNAL, /* no call: a signal came; `arguments` is its name */
    NAME_GONE,   /* no call: the thread was gone; "killed by SIGKILL" */
    NAMES
};

/* One call. Texts are valid as long as the log. */
struct traced_call {
    int64_t begin_ns; /* at or after this */
    int64_t end_low_ns, end_high_ns; /* ended at or between these; INT64_MAX: whenever */
    int64_t duration_ns; /* -1 unknown */
    const char *arguments;
    const char *result; /* NULL: it has not ended */
    uint32_t pid, file, unit_ns;
    uint8_t name; /* enum traced_name */
};

struct traced_file {
    const char *path;
    uint32_t group; /* pids are the same processes in files of one group (-ff) */
    uint32_t calls;
    bool day; /* stamps are times of day: ns since the midnight before the first one */
    bool too_long, cut;
    bool elsewhere; /* the caller's: it is of another time than what it is compared with */
    uint64_t unreadable; /* lines */
    int64_t first_ns, last_ns;
    char *ends; /* why the log ends before the program did, in the log's words; NULL: it does not */
};

struct strace_log {
    struct traced_call *calls; /* as in the files */
    size_t call_count;
    struct traced_file *files;
    size_t file_count;
    struct text_block *text;
    size_t text_size;
    size_t call_capacity;
};

enum { CALLS_MAX = BOUND(250000, 60), TEXT_MAX = 48 * 1024 * 1024 };

/* Reads one more file. False, and a line in `error`, if it is not there or no log with stamps: it
 * then is no file of the log. Exits when out of memory. */
bool strace_log_read(struct strace_log *log, const char *path, char *error, size_t size);

void strace_log_free(struct strace_log *log);

/* As the program's source would name it: "recvfrom". */
const char *traced_name(const struct traced_call *call);

#endif
