/* calls_text.c - a call in words. See calls_internal.h.
 *
 * Names are those that a program's source has: glibc's recv() is recvfrom without an address,
 * its fork() a clone. What comes from a log is printable, see strace_log.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_internal.h"

enum { SHOWN_BYTES = 24, DATA_KEPT = BOUND(1024, 16) };

/* ---- Arguments ---- */

static struct span argument(const struct calls *c, const struct touch *t, unsigned index)
{
    return call_argument(touch_call(c, t), index);
}

/* What -y writes is left out. */
static struct span plain(struct span s)
{
    struct span rest = s, about;
    int64_t fd;

    if (text_descriptor(&rest, &fd, &about))
        s.length = (size_t)(rest.at - s.at) - (about.length > 0 ? about.length + 2 : 0);
    return s;
}

/* "127.0.0.1:4321", or "" if the argument holds no address. */
static const char *address(struct calls *c, struct span s)
{
    struct text_address told;
    char text[ENDPOINT_TEXT_MAX];

    if (!text_sockaddr(s, &told))
        return "";
    return calls_text(c, "%s", endpoint_text(text, &told.end, told.ip_version));
}

/* Bytes from iovecs: {iov_base="…", iov_len=…}. */
static size_t gather(struct span s, uint8_t *bytes, size_t size)
{
    size_t used = 0;

    while (used < size && span_find(&s, "iov_base=")) {
        int64_t count = text_string(s, bytes + used, size - used);

        used += count > 0 ? (size_t)count : 0;
        if (s.length > 0)
            span_skip(&s, span_item(s));
    }
    return used;
}

size_t touch_data(const struct calls *c, const struct touch *t, uint8_t *bytes, size_t size)
{
    struct span data = argument(c, t, 1);
    int64_t length = touch_bytes(c, t), kept = text_string(data, bytes, size);

    if (length <= 0)
        return 0;
    if (kept < 0)
        kept = (int64_t)gather(data, bytes, size);
    return (size_t)(kept < length ? kept : length);
}

static void write_data(struct calls *c, const struct touch *t, struct call_row *row)
{
    uint8_t bytes[DATA_KEPT];
    int64_t length = touch_bytes(c, t);

    if (length <= 0)
        return;
    row->data_len = (size_t)length;
    row->data_kept = touch_data(c, t, bytes, sizeof bytes);
    if (row->data_kept > 0)
        row->data = calls_keep(c, bytes, row->data_kept);
}

/* How many bytes a send was given; -1 where that is not told. */
static int64_t asked_bytes(const struct calls *c, const struct touch *t)
{
    struct span s = argument(c, t, 2);
    int64_t sum = -1, length;

    switch ((enum traced_name)touch_call(c, t)->name) {
    case NAME_WRITE:
    case NAME_SEND:
    case NAME_SENDTO:
        return span_integer(&s, &length) && length >= 0 ? length : -1;
    case NAME_WRITEV:
    case NAME_SENDMSG:
        s = argument(c, t, 1);
        while (span_find(&s, "iov_len=") && span_integer(&s, &length) && length >= 0 &&
               length <= INT32_MAX)
            sum = (sum > 0 ? sum : 0) + length;
        return span_contains(argument(c, t, 1), ", ...]") ? -1 : sum;
    default:
        return -1;
    }
}

/* ", MSG_PEEK": of the flags those that change what the call does with the data. */
static const char *shown_flags(struct calls *c, const struct touch *t)
{
    static const char *const told[] = {"MSG_PEEK", "MSG_WAITALL", "MSG_MORE", "MSG_OOB",
                                       "MSG_TRUNC", "MSG_FASTOPEN"};
    const struct traced_call *call = touch_call(c, t);
    bool of_message = call->name == NAME_SENDMSG || call->name == NAME_RECVMSG;
    bool has = of_message || call->name == NAME_SEND || call->name == NAME_RECV ||
               call->name == NAME_SENDTO || call->name == NAME_RECVFROM;
    const char *text = "";

    for (size_t i = 0; has && i < sizeof told / sizeof told[0]; i++)
        if (span_contains(argument(c, t, of_message ? 2 : 3), told[i]))
            text = calls_text(c, "%s%s%s", text, *text == '\0' ? ", " : "|", told[i]);
    return text;
}

/* The string of a send, as the log has it, if it can be read; else how long it is. */
static const char *shown_data(struct calls *c, const struct touch *t)
{
    struct span data = argument(c, t, 1), length = argument(c, t, 2);
    size_t shown = 0, end = data.length;
    int64_t asked = asked_bytes(c, t), bytes = asked >= 0 ? asked : touch_bytes(c, t);
    bool readable = span_take(&data, "\"") && end >= 2;

    end = data.length;
    while (readable && shown < end && data.at[shown] != '"' && shown < SHOWN_BYTES) {
        readable = data.at[shown] != '\\' || (shown + 1 < end && data.at[shown + 1] != '\0' &&
                                              strchr("nrt\"\\", data.at[shown + 1]) != NULL);
        shown += data.at[shown] == '\\' ? 2 : 1;
    }
    if (shown > end)
        return "";
    if (!readable && bytes < 0)
        return "";
    if (touch_call(c, t)->name == NAME_SENDMMSG)
        return calls_text(c, ", %" PRId64 " message%s", bytes, bytes == 1 ? "" : "s");
    if (!readable)
        return calls_text(c, ", %" PRId64 " byte%s", bytes, bytes == 1 ? "" : "s");
    return calls_text(c, ", \"%.*s\"%s, %.*s", (int)shown, data.at,
                      shown < end && span_is((struct span){data.at + shown, end - shown}, "\"")
                          ? "" : "...",
                      (int)(length.length < 12 ? length.length : 12), length.at);
}

/* ---- Texts ---- */

/* "name(first…)", "name(first)", "name". */
__attribute__((format(printf, 5, 6)))
static void write_texts(struct calls *c, struct call_row *row, const char *name, struct span first,
                        const char *format, ...)
{
    char more[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(more, sizeof more, format, arguments);
    va_end(arguments);
    first = plain(first);
    if (first.length > 24)
        first.length = 24;
    row->name = row->texts[2] = name;
    row->texts[1] = calls_text(c, "%s(%.*s)", name, (int)first.length, first.at);
    row->texts[0] = *more == '\0' ? row->texts[1]
                                  : calls_text(c, "%s(%.*s%s)", name, (int)first.length, first.at,
                                               more);
}

static void write_bare(struct call_row *row, const char *name, const char *text)
{
    row->name = name;
    row->texts[0] = row->texts[1] = text;
    row->texts[2] = name;
}

static int shown(struct span s, int most)
{
    return s.length < (size_t)most ? (int)s.length : most;
}

/* "AF_INET, SOCK_STREAM" without what all sockets have. */
static void write_socket(struct calls *c, const struct touch *t, struct call_row *row)
{
    struct span family = argument(c, t, 0), type = argument(c, t, 1);
    const char *bar = memchr(type.at, '|', type.length);

    if (bar != NULL)
        type.length = (size_t)(bar - type.at);
    row->name = row->texts[2] = "socket";
    row->texts[1] = calls_text(c, "socket(%.*s)", shown(type, 24), type.at);
    row->texts[0] = calls_text(c, "socket(%.*s, %.*s)", shown(family, 16), family.at,
                               shown(type, 24), type.at);
}

static void write_option(struct calls *c, const struct touch *t, struct call_row *row)
{
    struct span name = argument(c, t, 2), value = argument(c, t, 3);

    if (span_take(&value, "["))
        span_cut_end(&value, "]");
    write_texts(c, row, traced_name(touch_call(c, t)), argument(c, t, 0), ", %.*s, %.*s",
                shown(name, 32), name.at, shown(value, 48), value.at);
}

/* "poll([0, 3], 1000)": the descriptors. */
static void write_poll(struct calls *c, const struct touch *t, struct call_row *row)
{
    struct span list = argument(c, t, 0), timeout = argument(c, t, 2), about;
    char fds[64] = "";
    size_t used = 0, count = 0;
    int64_t fd, listed[16];

    while (count < 16 && used + 24 < sizeof fds && span_find(&list, "{fd=")) {
        size_t i = 0;

        if (!text_descriptor(&list, &fd, &about) || fd < 0)
            continue;
        while (i < count && listed[i] != fd)
            i++;
        if (i < count)
            continue;
        listed[count++] = fd;
        used += (size_t)snprintf(fds + used, sizeof fds - used, "%s%" PRId64,
                                 used > 0 ? ", " : "", fd);
    }
    row->name = row->texts[2] = traced_name(touch_call(c, t));
    row->texts[1] = calls_text(c, "%s([%s])", row->name, fds);
    row->texts[0] = calls_text(c, "%s([%s], %.*s)", row->name, fds, shown(timeout, 32), timeout.at);
}

static void write_wait(struct calls *c, const struct touch *t, struct call_row *row)
{
    static const char *const able[4] = {"", "can be read", "can be written",
                                        "can be read and written"};
    /* What failed is hung up as well; so is what has ended in both directions, and is read. */
    bool ended = t->ready == (READY_READ | READY_HANGUP);
    const char *end = t->ready & READY_ERROR              ? "failed"
                      : t->ready & READY_HANGUP && !ended ? "hung up"
                                                          : "";
    const char *ready = able[t->ready & 3];
    uint8_t name = touch_call(c, t)->name;

    if (name == NAME_POLL || name == NAME_PPOLL)
        write_poll(c, t, row);
    else if (name == NAME_SELECT || name == NAME_PSELECT6)
        write_texts(c, row, "select", argument(c, t, 0), "%s", "");
    else
        write_texts(c, row, traced_name(touch_call(c, t)), argument(c, t, 0), "%s", "");
    if (*row->note == '\0')
        row->note = *end == '\0'     ? ready
                    : *ready == '\0' ? end
                                     : calls_text(c, "%s, %s", end, ready);
}

static void write_send(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);
    const char *name = traced_name(call), *to = "";
    int64_t bytes = touch_bytes(c, t);

    if (call->name == NAME_SENDTO)
        to = address(c, argument(c, t, 4));
    if (call->name == NAME_SENDTO && (*to == '\0' || touch_socket(c, t)->protocol == IP_TCP) &&
        !call_opens_fast(call))
        name = "send";
    if (call->name == NAME_SENDMSG)
        to = address(c, argument(c, t, 1));
    write_texts(c, row, name, argument(c, t, 0), "%s%s%s%s", shown_data(c, t),
                shown_flags(c, t), *to != '\0' ? ", " : "", to);
    if (bytes >= 0 && bytes < asked_bytes(c, t) && *row->note == '\0')
        row->note = "only a part";
    write_data(c, t, row);
}

static void write_receive(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);
    const char *name = traced_name(call);
    struct span size = argument(c, t, 2);
    bool has_size = call->name == NAME_READ || call->name == NAME_RECVFROM ||
                    call->name == NAME_RECV;

    if (call->name == NAME_RECVFROM &&
        (span_is(argument(c, t, 4), "NULL") || touch_socket(c, t)->protocol == IP_TCP))
        name = "recv";
    if (has_size && size.length > 0 && size.at[0] != '<')
        write_texts(c, row, name, argument(c, t, 0), ", %.*s%s", shown(size, 20), size.at,
                    shown_flags(c, t));
    else
        write_texts(c, row, name, argument(c, t, 0), "%s", shown_flags(c, t));
    write_data(c, t, row);
}

static void write_made(struct calls *c, const struct touch *t, struct call_row *row)
{
    struct span arguments = call_arguments(touch_call(c, t));

    if (span_contains(arguments, "CLONE_THREAD"))
        write_bare(row, "clone", "clone(a thread)");
    else
        write_bare(row, touch_call(c, t)->name == NAME_VFORK ||
                            span_contains(arguments, "CLONE_VFORK") ? "vfork" : "fork",
                   touch_call(c, t)->name == NAME_VFORK ||
                           span_contains(arguments, "CLONE_VFORK") ? "vfork()" : "fork()");
}

static void write_close(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);
    struct span second = argument(c, t, 1);

    if (call->name == NAME_EXIT || call->name == NAME_EXIT_GROUP)
        write_texts(c, row, "exit", argument(c, t, 0), "%s", "");
    else if (call->name == NAME_GONE)
        write_bare(row, strncmp(call->arguments, "killed", 6) == 0 ? "killed" : "exited",
                   call->arguments);
    else if (call->name == NAME_EXECVE)
        write_bare(row, "execve", calls_text(c, "execve(%s)", c->replay.processes
                                                 [c->replay.threads[c->replay.thread_of[t->call]]
                                                      .process].program));
    else if (call->name == NAME_CONNECT)
        write_texts(c, row, "connect", argument(c, t, 0), "%s", ", AF_UNSPEC");
    else if (second.length > 0)
        write_texts(c, row, traced_name(call), argument(c, t, 0), ", %.*s", shown(second, 24),
                    second.at);
    else
        write_texts(c, row, traced_name(call), argument(c, t, 0), "%s", "");
}

static void write_other(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);
    struct span second = argument(c, t, 1), third = argument(c, t, 2), value = argument(c, t, 3);

    switch ((enum traced_name)call->name) {
    case NAME_CLONE:
    case NAME_CLONE3:
    case NAME_FORK:
    case NAME_VFORK:
        write_made(c, t, row);
        break;
    case NAME_SIGNAL:
        write_bare(row, "signal", call->arguments);
        break;
    case NAME_FCNTL:
        write_texts(c, row, "fcntl", argument(c, t, 0), ", %.*s%s%.*s", shown(second, 24),
                    second.at, third.length > 0 ? ", " : "", shown(third, 40), third.at);
        break;
    case NAME_GETSOCKOPT:
        write_option(c, t, row);
        span_take(&value, "[");
        span_cut_end(&value, "]");
        row->texts[1] = calls_text(c, "%.*s: %.*s", shown(third, 32), third.at, shown(value, 48),
                                   value.at);
        break;
    case NAME_CONNECT:
        write_close(c, t, row);
        break;
    case NAME_EPOLL_CTL:
        third = plain(third);
        write_texts(c, row, "epoll_ctl", argument(c, t, 0), ", %.*s, %.*s", shown(second, 16),
                    second.at, shown(third, 12), third.at);
        break;
    case NAME_DUP2:
    case NAME_DUP3:
        second = plain(second);
        write_texts(c, row, traced_name(call), argument(c, t, 0), ", %.*s", shown(second, 12),
                    second.at);
        break;
    default:
        write_texts(c, row, traced_name(call), argument(c, t, 0), "%s", "");
        break;
    }
}

static void write_setup(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);
    struct span second = argument(c, t, 1);
    const char *to;

    if (call->name == NAME_SOCKET) {
        write_socket(c, t, row);
    } else if (call->name == NAME_SETSOCKOPT) {
        write_option(c, t, row);
    } else if (call->name == NAME_LISTEN) {
        write_texts(c, row, "listen", argument(c, t, 0), ", %.*s", shown(second, 12), second.at);
    } else {
        to = address(c, second);
        write_texts(c, row, traced_name(call), argument(c, t, 0), "%s%s", *to != '\0' ? ", " : "",
                    to);
    }
}

/* ---- The result ---- */

/* "= 4", "= -1 ECONNREFUSED": without what -y adds, the error's words and details. */
static const char *result_text(struct calls *c, const struct traced_call *call)
{
    struct span s, number;
    int64_t value;
    size_t error = 0;

    if (call->result == NULL || *call->result == '\0')
        return NULL;
    if (*call->result == '?')
        return "interrupted";
    s = number = (struct span){call->result, strlen(call->result)};
    if (!span_integer(&s, &value))
        return calls_text(c, "= %.32s", call->result);
    number.length = (size_t)(s.at - number.at);
    if (value != -1 || !span_take(&s, " E"))
        return calls_text(c, "= %.*s", (int)number.length, number.at);
    while (error < s.length && s.at[error] != ' ' && error < 24)
        error++;
    return calls_text(c, "= -1 E%.*s", (int)error, s.at);
}

void calls_write_row(struct calls *c, const struct touch *t, struct call_row *row)
{
    const struct traced_call *call = touch_call(c, t);

    switch ((enum touch_kind)t->kind) {
    case TOUCH_SETUP:
    case TOUCH_CONNECT:
        write_setup(c, t, row);
        break;
    case TOUCH_ACCEPT:
        write_texts(c, row, traced_name(call), argument(c, t, 0), "%s", "");
        break;
    case TOUCH_SEND:
        write_send(c, t, row);
        break;
    case TOUCH_RECEIVE:
        write_receive(c, t, row);
        break;
    case TOUCH_WAIT:
        write_wait(c, t, row);
        break;
    case TOUCH_CLOSE:
        write_close(c, t, row);
        break;
    case TOUCH_OTHER:
        write_other(c, t, row);
        break;
    case TOUCH_STANDARD:
        if (call->name == NAME_READ || call->name == NAME_READV)
            write_receive(c, t, row);
        else
            write_send(c, t, row);
        break;
    }
    row->result = result_text(c, call);
}
