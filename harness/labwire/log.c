/* log.c - see log.h. */
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include "fail.h"

void log_line(struct log *log, const char *format, ...)
{
    char line[256];
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    length = (size_t)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (log->closed || length >= sizeof line)
        return;
    if (log->start == log->end)
        log->start = log->end = 0;
    if (log->room - log->end < length) {
        log->room = log->room * 2 + sizeof line;
        log->text = need(realloc(log->text, log->room));
    }
    memcpy(log->text + log->end, line, length);
    log->end += length;
}

bool log_waits(const struct log *log)
{
    return log->start < log->end && !log->closed;
}

/* Writes once, when that needs no waiting, or once it does not need it any more. PIPE_BUF is
 * what poll() promises to take. */
static bool write_some(struct log *log, int timeout)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    size_t length = log->end - log->start;
    ssize_t n;

    if (poll(&out, 1, timeout) <= 0)
        return false;
    n = write(STDOUT_FILENO, log->text + log->start, length < PIPE_BUF ? length : PIPE_BUF);
    if (n < 0 && errno == EPIPE)
        log->closed = true;
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        fail_errno("stdout");
    else if (n > 0)
        log->start += (size_t)n;
    return n > 0;
}

void log_write(struct log *log)
{
    while (log_waits(log) && write_some(log, 0))
        ;
}

void log_finish(struct log *log)
{
    while (log_waits(log))
        write_some(log, -1);
    if (close(STDOUT_FILENO) < 0 && !log->closed)
        fail_errno("stdout");
}
