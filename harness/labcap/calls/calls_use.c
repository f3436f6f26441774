/* calls_use.c - calls that use sockets. See calls_replay.h. */
#include <stdlib.h>
#include <string.h>

#include "calls_replay.h"
#include "calls_tables.h"
#include "memory.h"

static const struct traced_call *call_of(const struct replay *r, uint32_t call)
{
    return &r->log->calls[call];
}

/* The socket that an argument names. */
static uint32_t socket_in(struct replay *r, uint32_t call, unsigned argument)
{
    struct span s = call_argument(call_of(r, call), argument), about;
    int64_t fd;

    if (!text_descriptor(&s, &fd, &about))
        return NO_SOCKET;
    return replay_socket(r, r->thread_of[call], fd, about);
}

/* ---- One socket ---- */

struct touch *replay_touch_in(struct replay *r, uint32_t call, unsigned argument,
                              enum touch_kind kind)
{
    uint32_t socket = socket_in(r, call, argument);

    if (socket == NO_SOCKET)
        return NULL;
    if (kind != TOUCH_SETUP && kind != TOUCH_ACCEPT && !r->sockets[socket].listening)
        r->threads[r->thread_of[call]].last_socket = socket;
    return replay_touch(r, call, socket, kind);
}

/* Reading and writing: of a socket, or of the terminal between two calls that are of one. */
static void transfer(struct replay *r, uint32_t call, enum touch_kind kind)
{
    const struct traced_thread *thread = &r->threads[r->thread_of[call]];
    struct span s = call_argument(call_of(r, call), 0);
    uint64_t fd;

    if (replay_touch_in(r, call, 0, kind) != NULL || !span_number(&s, &fd))
        return;
    if (fd <= 2 && thread->last_socket != NO_SOCKET && !r->sockets[thread->last_socket].closed)
        replay_touch(r, call, thread->last_socket, TOUCH_STANDARD);
}

static void binds(struct replay *r, uint32_t call)
{
    struct touch *touch = replay_touch_in(r, call, 0, TOUCH_SETUP);
    struct text_address local;
    int64_t result;

    if (touch != NULL && call_result(call_of(r, call), &result) && result == 0 &&
        text_sockaddr(call_argument(call_of(r, call), 1), &local) &&
        r->sockets[touch->socket].local.end.port == 0)
        r->sockets[touch->socket].local = local;
}

static void listens(struct replay *r, uint32_t call)
{
    struct touch *touch = replay_touch_in(r, call, 0, TOUCH_SETUP);
    struct socket_record *s;

    if (touch == NULL)
        return;
    s = &r->sockets[touch->socket];
    s->protocol = IP_TCP;
    if (!s->listening)
        s->from_ns = call_of(r, call)->begin_ns;
    s->listening = true;
}

/* A socket that connects anew after it failed, or was disconnected, is another one for us: it has
 * another flow. */
static uint32_t renew(struct replay *r, uint32_t call, uint32_t old)
{
    struct span s = call_argument(call_of(r, call), 0), about;
    uint32_t socket = socket_new(r);
    int64_t fd;

    r->sockets[socket].protocol = IP_TCP;
    r->sockets[socket].from_start = r->sockets[old].from_start;
    r->sockets[socket].inode = r->sockets[old].inode;
    if (text_descriptor(&s, &fd, &about))
        fd_put(r, r->thread_of[call], fd, socket, fd_closes_on_exec(r, r->thread_of[call], fd));
    return socket;
}

/* connect(AF_UNSPEC): what comes next is of another connection, or of any peer. */
static void disconnects(struct replay *r, uint32_t call, uint32_t socket)
{
    struct socket_record *s = &r->sockets[socket];
    int64_t result;

    if (!call_result(call_of(r, call), &result) || result != 0)
        return;
    if (s->protocol == IP_UDP) {
        replay_touch(r, call, socket, TOUCH_OTHER);
        memset(&s->remote, 0, sizeof s->remote);
    } else if ((s->connecting || s->accepted) && !s->closed) {
        replay_touch(r, call, socket, TOUCH_CLOSE)->remaining = 0;
        s->closed = true;
        s->closing_call = call;
        r->sockets[renew(r, call, socket)].renewed = true;
    }
}

/* Where the call's address stands. */
static void connects(struct replay *r, uint32_t call, unsigned argument)
{
    const struct traced_call *c = call_of(r, call);
    uint32_t socket = socket_in(r, call, 0);
    bool sends = c->name != NAME_CONNECT;
    struct text_address remote;
    struct socket_record *s;

    if (socket == NO_SOCKET)
        return;
    if (!text_sockaddr(call_argument(c, argument), &remote)) {
        if (!sends && span_contains(call_argument(c, 1), "sa_family=AF_UNSPEC"))
            disconnects(r, call, socket);
        else if (sends)
            replay_touch(r, call, socket, TOUCH_SEND);
        return;
    }
    if (r->sockets[socket].protocol != IP_UDP && r->sockets[socket].connecting &&
        r->sockets[socket].refused)
        socket = renew(r, call, socket);
    s = &r->sockets[socket];
    if (!s->connecting) {
        s->from_ns = c->begin_ns;
        s->to_ns = c->end_high_ns;
    }
    s->connecting = true;
    s->refused = call_failed(c, "ECONNREFUSED") || call_failed(c, "ETIMEDOUT") ||
                 call_failed(c, "EHOSTUNREACH") || call_failed(c, "ENETUNREACH");
    s->remote = remote;
    r->threads[r->thread_of[call]].last_socket = socket;
    replay_touch(r, call, socket, sends ? TOUCH_SEND : TOUCH_CONNECT);
}

static void sets_option(struct replay *r, uint32_t call)
{
    struct touch *touch = replay_touch_in(r, call, 0, TOUCH_SETUP);
    struct span value = call_argument(call_of(r, call), 3);

    if (touch != NULL && span_is(call_argument(call_of(r, call), 2), "SO_LINGER"))
        r->sockets[touch->socket].linger_zero =
            span_contains(value, "l_onoff=1") && span_contains(value, "l_linger=0");
}

/* F_DUPFD is told of when it has ended. */
static void controls(struct replay *r, uint32_t call)
{
    if (!span_starts(call_argument(call_of(r, call), 1), "F_DUPFD"))
        replay_touch_in(r, call, 0, TOUCH_OTHER);
}

static void splices(struct replay *r, uint32_t call)
{
    if (replay_touch_in(r, call, 0, TOUCH_RECEIVE) == NULL)
        replay_touch_in(r, call, 2, TOUCH_SEND);
}

/* ---- All of them ---- */

/* A signal comes to a thread that has a socket in use. */
static void signalled(struct replay *r, uint32_t call)
{
    uint32_t last = r->threads[r->thread_of[call]].last_socket;

    if (last != NO_SOCKET && !r->sockets[last].closed)
        replay_touch(r, call, last, TOUCH_OTHER);
}

static void use_socket(struct replay *r, uint32_t call)
{
    switch ((enum traced_name)call_of(r, call)->name) {
    case NAME_BIND:
        binds(r, call);
        break;
    case NAME_LISTEN:
        listens(r, call);
        break;
    case NAME_CONNECT:
        connects(r, call, 1);
        break;
    case NAME_ACCEPT:
    case NAME_ACCEPT4:
        if (replay_touch_in(r, call, 0, TOUCH_ACCEPT) != NULL)
            r->threads[r->thread_of[call]].accepting = (uint32_t)r->touch_count - 1;
        break;
    case NAME_SETSOCKOPT:
        sets_option(r, call);
        break;
    case NAME_SHUTDOWN:
        replay_touch_in(r, call, 0, TOUCH_CLOSE);
        break;
    case NAME_FCNTL:
        controls(r, call);
        break;
    case NAME_EPOLL_CTL:
        replay_epoll_changes(r, call);
        break;
    case NAME_SIGNAL:
        signalled(r, call);
        break;
    case NAME_GETSOCKNAME:
    case NAME_GETPEERNAME:
    case NAME_GETSOCKOPT:
        replay_touch_in(r, call, 0, TOUCH_OTHER);
        break;
    default:
        break;
    }
}

void replay_use(struct replay *r, uint32_t call)
{
    switch ((enum traced_name)call_of(r, call)->name) {
    case NAME_READ:
    case NAME_READV:
    case NAME_RECV:
    case NAME_RECVFROM:
    case NAME_RECVMSG:
    case NAME_RECVMMSG:
        transfer(r, call, TOUCH_RECEIVE);
        break;
    case NAME_SENDTO:
    case NAME_SENDMSG:
        if (call_opens_fast(call_of(r, call)))
            connects(r, call, call_of(r, call)->name == NAME_SENDTO ? 4 : 1);
        else
            transfer(r, call, TOUCH_SEND);
        break;
    case NAME_WRITE:
    case NAME_WRITEV:
    case NAME_SEND:
    case NAME_SENDMMSG:
    case NAME_SENDFILE:
        transfer(r, call, TOUCH_SEND);
        break;
    case NAME_SPLICE:
        splices(r, call);
        break;
    case NAME_POLL:
    case NAME_PPOLL:
    case NAME_SELECT:
    case NAME_PSELECT6:
    case NAME_EPOLL_WAIT:
    case NAME_EPOLL_PWAIT:
    case NAME_EPOLL_PWAIT2:
        replay_waits(r, call);
        break;
    default:
        use_socket(r, call);
        break;
    }
}
