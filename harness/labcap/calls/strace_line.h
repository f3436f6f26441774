/* strace_line.h - one line of a log of strace, taken apart.
 *
 *   PID STAMP name(arguments) = result <duration>
 *   PID STAMP name(arguments <unfinished ...>
 *   PID STAMP <... name resumed>arguments) = result <duration>
 *   PID STAMP --- SIGTERM {…} ---
 *   PID STAMP +++ exited with 0 +++
 *
 * PID and duration may be missing. The forms are those of strace 4.22 to 6.x: with and without
 * -y and -yy, -i, -n, -r beside -t. No memory is kept: spans point into the line. */
#ifndef LABCAP_STRACE_LINE_H
#define LABCAP_STRACE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_kind {
    LINE_CALL,
    LINE_UNFINISHED,
    LINE_RESUMED,
    LINE_SIGNAL,
    LINE_EXITED, /* the thread is gone, by itself or killed */
    LINE_ENDS,   /* strace's own word: the log ends here though the program went on */
    LINE_OTHER   /* strace's other words */
};

enum stamp_kind {
    STAMP_NONE,
    STAMP_UNIX, /* ns since 1970 */
    STAMP_DAY,  /* ns since midnight, somewhere */
    STAMP_RELATIVE
};

struct span {
    const char *at;
    size_t length;
};

struct strace_line {
    enum line_kind kind;
    enum stamp_kind stamp;
    uint32_t pid; /* 0 where there is none; of "Process 123 attached", that one */
    bool bracket; /* "[pid 123]": lines have it while there are several threads */
    int64_t time_ns;
    uint32_t unit_ns;    /* the stamp is rounded down to a multiple of this */
    struct span name;    /* of the call or signal; of LINE_EXITED the words between the plusses */
    struct span arguments; /* without the brackets around them */
    struct span result;  /* "0", "-1 ECONNREFUSED (Connection refused)", "1 ([{fd=3, …}])" */
    int64_t duration_ns; /* -1 unknown */
};

/* `text` (printable characters only) has `length` bytes. False if it is no line of strace's. */
bool strace_line_parse(struct strace_line *line, const char *text, size_t length);

/* What follows `<... name resumed>`, or a whole call's text after "name(": where the brackets end
 * that it stands in. Returns `text.length` if they do not end. */
size_t strace_arguments_end(struct span text);

#endif
