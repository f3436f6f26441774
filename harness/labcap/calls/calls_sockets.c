/* calls_sockets.c - see calls_sockets.h. */
#include "calls_sockets.h"

#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_replay.h"
#include "calls_tables.h"
#include "memory.h"

/* ---- Results ---- */

bool call_result(const struct traced_call *call, int64_t *number)
{
    struct span s;

    if (call->result == NULL)
        return false;
    s = (struct span){call->result, strlen(call->result)};
    return span_integer(&s, number);
}

bool call_failed(const struct traced_call *call, const char *error)
{
    struct span s;

    if (call->result == NULL)
        return false;
    s = (struct span){call->result, strlen(call->result)};
    return span_take(&s, "-1 ") && span_starts(s, error) &&
           (s.length == strlen(error) || s.at[strlen(error)] == ' ');
}

bool call_opens_fast(const struct traced_call *call)
{
    return (call->name == NAME_SENDTO && span_contains(call_argument(call, 3), "MSG_FASTOPEN")) ||
           (call->name == NAME_SENDMSG && span_contains(call_argument(call, 2), "MSG_FASTOPEN"));
}

/* A descriptor that the call returned, and what is told of it. */
static bool result_descriptor(const struct traced_call *call, int64_t *fd, struct span *about)
{
    struct span s;

    if (call->result == NULL)
        return false;
    s = (struct span){call->result, strlen(call->result)};
    return text_descriptor(&s, fd, about) && *fd >= 0;
}

/* ---- Sockets ---- */

static bool same_address(const struct text_address *a, const struct text_address *b)
{
    return a->ip_version == b->ip_version && a->end.port == b->end.port &&
           memcmp(a->end.address, b->end.address, sizeof a->end.address) == 0;
}

/* What is told of a descriptor, and what is known of a socket, can both be true. */
static bool agrees(const struct socket_record *s, const struct text_socket *told)
{
    if (s->protocol != 0 && told->protocol != 0 && s->protocol != told->protocol)
        return false;
    if (s->inode != 0 && told->inode != 0)
        return s->inode == told->inode;
    if (told->local.ip_version != 0 && s->local.end.port != 0 &&
        told->local.end.port != s->local.end.port)
        return false;
    return s->protocol == IP_UDP || told->remote.ip_version == 0 || s->remote.ip_version == 0 ||
           same_address(&s->remote, &told->remote);
}

static void learn(struct socket_record *s, const struct text_socket *told)
{
    if (s->protocol == 0)
        s->protocol = told->protocol;
    if (s->inode == 0)
        s->inode = told->inode;
    if (told->local.ip_version != 0 && told->local.end.port != 0)
        s->local = told->local;
    if (told->remote.ip_version != 0 && s->remote.ip_version == 0)
        s->remote = told->remote;
}

/* Only the latest sockets are looked through for one that came by an unseen way. */
enum { LOOKED_THROUGH = BOUND(256, 4) };

static uint32_t find_told(const struct replay *r, const struct text_socket *told)
{
    for (size_t i = r->socket_count; i > 0 && i + LOOKED_THROUGH > r->socket_count; i--) {
        const struct socket_record *s = &r->sockets[i - 1];

        if (s->closed || s->protocol != told->protocol)
            continue;
        if (told->inode != 0 && s->inode == told->inode)
            return (uint32_t)i - 1;
        if (told->remote.ip_version != 0 && same_address(&s->remote, &told->remote) &&
            same_address(&s->local, &told->local))
            return (uint32_t)i - 1;
    }
    return NO_SOCKET;
}

uint32_t replay_socket(struct replay *r, uint32_t thread, int64_t fd, struct span about)
{
    uint32_t socket = fd_get(r, thread, fd);
    struct text_socket told;

    if (text_no_socket(about)) {
        fd_clear(r, thread, fd);
        return NO_SOCKET;
    }
    if (about.length == 0 || !text_socket(about, &told))
        return socket;
    if (socket != NO_SOCKET && r->sockets[socket].renewed)
        return socket;
    if (socket == NO_SOCKET || !agrees(&r->sockets[socket], &told)) {
        socket = find_told(r, &told);
        if (socket == NO_SOCKET)
            socket = socket_new(r);
        fd_put(r, thread, fd, socket, false);
    }
    learn(&r->sockets[socket], &told);
    return socket;
}

/* ---- Touches ---- */

struct touch *replay_touch(struct replay *r, uint32_t call, uint32_t socket, enum touch_kind kind)
{
    const struct traced_thread *thread = &r->threads[r->thread_of[call]];
    struct touch *touch;

    if (r->touch_count == r->touch_capacity) {
        r->touch_capacity = r->touch_capacity > 0 ? r->touch_capacity * 2 : 256;
        r->touches = need(reallocarray(r->touches, r->touch_capacity, sizeof *r->touches));
    }
    touch = &r->touches[r->touch_count++];
    *touch = (struct touch){.call = call,
                            .socket = socket,
                            .process = thread->process,
                            .accepted = NO_SOCKET,
                            .remaining = r->sockets[socket].references,
                            .kind = (uint8_t)kind};
    return touch;
}

/* The socket has no descriptor any more, because of this call. */
static void close_socket(struct replay *r, uint32_t call, uint32_t socket)
{
    r->sockets[socket].closed = true;
    r->sockets[socket].closing_call = call;
}

static void close_fd(struct replay *r, uint32_t call, int64_t fd)
{
    uint32_t thread = r->thread_of[call], socket = fd_get(r, thread, fd);

    if (socket == NO_SOCKET)
        return;
    if (fd_clear(r, thread, fd) != NO_SOCKET)
        close_socket(r, call, socket);
    replay_touch(r, call, socket, TOUCH_CLOSE);
}

void replay_close_range(struct replay *r, uint32_t call, int64_t first, int64_t last,
                        bool on_exec)
{
    const struct fd_table *table = r->threads[r->thread_of[call]].table;

    for (int64_t fd = first; fd < table->size && fd <= last; fd++)
        if (table->entries[fd].socket != NO_SOCKET &&
            (!on_exec || table->entries[fd].close_on_exec))
            close_fd(r, call, fd);
}

/* ---- Calls that make descriptors take effect when they end ---- */

static void socket_made(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span about, type = call_argument(c, 1), family = call_argument(c, 0);
    struct socket_record *s;
    struct text_socket told;
    uint32_t socket;
    int64_t fd;

    if (!result_descriptor(c, &fd, &about))
        return;
    if (!span_starts(family, "AF_INET") && !span_starts(family, "PF_INET")) {
        fd_clear(r, r->thread_of[call], fd);
        return;
    }
    socket = socket_new(r);
    s = &r->sockets[socket];
    s->from_start = true;
    s->protocol = span_starts(type, "SOCK_STREAM")  ? IP_TCP
                  : span_starts(type, "SOCK_DGRAM") ? IP_UDP
                                                    : 0;
    if (text_socket(about, &told))
        learn(s, &told);
    fd_put(r, r->thread_of[call], fd, socket, span_contains(type, "CLOEXEC"));
    replay_touch(r, call, socket, TOUCH_SETUP);
}

static void accepted(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct traced_thread *thread = &r->threads[r->thread_of[call]];
    struct span about;
    struct text_socket told;
    struct socket_record *s;
    struct touch *touch;
    uint32_t socket;
    int64_t fd;

    if (!result_descriptor(c, &fd, &about) || thread->accepting >= r->touch_count)
        return;
    touch = &r->touches[thread->accepting];
    if (touch->call != call)
        return;
    socket = socket_new(r);
    s = &r->sockets[socket];
    s->protocol = IP_TCP;
    s->from_start = s->accepted = true;
    s->listener = touch->socket;
    s->from_ns = r->sockets[touch->socket].from_ns;
    s->to_ns = c->end_high_ns;
    s->local = r->sockets[touch->socket].local;
    text_sockaddr(call_argument(c, 1), &s->remote);
    if (text_socket(about, &told))
        learn(s, &told);
    touch->accepted = socket;
    thread->last_socket = socket;
    fd_put(r, r->thread_of[call], fd, socket, span_contains(call_argument(c, 3), "CLOEXEC"));
}

static void duplicated(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span from = call_argument(c, 0), about;
    uint32_t socket, lost;
    int64_t fd, copy;
    bool on_exec = span_contains(call_arguments(c), "CLOEXEC");

    if (!text_descriptor(&from, &fd, &about) ||
        (c->name == NAME_FCNTL && !span_starts(call_argument(c, 1), "F_DUPFD")))
        return;
    socket = replay_socket(r, r->thread_of[call], fd, about);
    if (!result_descriptor(c, &copy, &about) || copy == fd)
        return;
    lost = fd_put(r, r->thread_of[call], copy, socket, on_exec);
    if (lost != NO_SOCKET) {
        close_socket(r, call, lost);
        replay_touch(r, call, lost, TOUCH_CLOSE);
    } else if (socket != NO_SOCKET) {
        replay_touch(r, call, socket, TOUCH_OTHER);
    }
}

/* fcntl(3, F_SETFD, FD_CLOEXEC). */
static void flag_set(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span s = call_argument(c, 0), about;
    int64_t fd, result;

    if (span_is(call_argument(c, 1), "F_SETFD") && text_descriptor(&s, &fd, &about) &&
        call_result(c, &result) && result == 0)
        fd_close_on_exec(r, r->thread_of[call], fd,
                         span_contains(call_argument(c, 2), "FD_CLOEXEC"));
}

static void named(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span s = call_argument(c, 0), about;
    struct text_address local;
    uint32_t socket;
    int64_t fd;

    if (!text_descriptor(&s, &fd, &about))
        return;
    socket = replay_socket(r, r->thread_of[call], fd, about);
    if (socket != NO_SOCKET && text_sockaddr(call_argument(c, 1), &local) && local.end.port != 0 &&
        r->sockets[socket].local.end.port == 0)
        r->sockets[socket].local = local;
}

/* ---- All calls ---- */

void replay_call_ends(struct replay *r, uint32_t call)
{
    switch ((enum traced_name)r->log->calls[call].name) {
    case NAME_SOCKET:
        socket_made(r, call);
        break;
    case NAME_ACCEPT:
    case NAME_ACCEPT4:
        accepted(r, call);
        break;
    case NAME_DUP:
    case NAME_DUP2:
    case NAME_DUP3:
        duplicated(r, call);
        break;
    case NAME_FCNTL:
        duplicated(r, call);
        flag_set(r, call);
        break;
    case NAME_GETSOCKNAME:
        named(r, call);
        break;
    default:
        break;
    }
}

static void range_closed(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span first = call_argument(c, 0), last = call_argument(c, 1);
    int64_t from, to = FD_MAX;

    if (!span_integer(&first, &from) || from < 0)
        return;
    if (!span_integer(&last, &to) || to < 0 || to > FD_MAX)
        to = FD_MAX;
    if (!span_contains(call_argument(c, 2), "CLOEXEC"))
        replay_close_range(r, call, from, to, false);
    else
        for (; from <= to; from++)
            fd_close_on_exec(r, r->thread_of[call], from, true);
}

static void closes(struct replay *r, uint32_t call)
{
    struct span s = call_argument(&r->log->calls[call], 0), about;
    int64_t fd;

    if (!text_descriptor(&s, &fd, &about))
        return;
    replay_socket(r, r->thread_of[call], fd, about);
    close_fd(r, call, fd);
}

void replay_call_begins(struct replay *r, uint32_t call)
{
    switch ((enum traced_name)r->log->calls[call].name) {
    case NAME_CLONE:
    case NAME_CLONE3:
    case NAME_FORK:
    case NAME_VFORK:
        replay_process_made(r, call);
        break;
    case NAME_EXECVE:
        replay_process_executes(r, call);
        break;
    case NAME_EXIT:
    case NAME_EXIT_GROUP:
        replay_thread_ends(r, call, r->log->calls[call].name == NAME_EXIT_GROUP);
        break;
    case NAME_GONE:
        replay_thread_gone(r, call);
        break;
    case NAME_CLOSE:
        closes(r, call);
        break;
    case NAME_CLOSE_RANGE:
        range_closed(r, call);
        break;
    default:
        replay_use(r, call);
        break;
    }
}
