/* calls_wait.c - calls that wait for sockets: poll, select, epoll. See calls_replay.h. */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_replay.h"
#include "calls_tables.h"
#include "memory.h"

/* A call that waits stands at most at so many sockets; a set of epoll knows at most so many. */
enum { READY_MAX = BOUND(16, 2), WATCHED_MAX = BOUND(4096, 3) };

struct waiting {
    uint32_t sockets[READY_MAX];
    uint8_t ready[READY_MAX];
    size_t count;
    size_t watched; /* sockets that are waited for */
    uint32_t any;   /* one of them */
};

static void watch(struct waiting *w, uint32_t socket)
{
    if (socket == NO_SOCKET)
        return;
    w->watched++;
    w->any = socket;
}

static void make_ready(struct waiting *w, uint32_t socket, uint8_t ready)
{
    size_t i = 0;

    if (socket == NO_SOCKET || ready == 0)
        return;
    while (i < w->count && w->sockets[i] != socket)
        i++;
    if (i == READY_MAX)
        return;
    if (i == w->count) {
        w->sockets[w->count] = socket;
        w->ready[w->count++] = 0;
    }
    w->ready[i] |= ready;
}

/* "POLLIN|POLLHUP", "EPOLLOUT". */
static uint8_t ready_bits(struct span s)
{
    static const struct {
        const char *name;
        uint8_t ready;
    } bits[] = {{"POLLIN", READY_READ},   {"POLLRDHUP", READY_READ}, {"POLLOUT", READY_WRITE},
                {"POLLERR", READY_ERROR}, {"POLLHUP", READY_HANGUP}};
    uint8_t ready = 0;

    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (span_contains(s, bits[i].name))
            ready |= bits[i].ready;
    return ready;
}

/* "[{fd=3<…>, events=POLLIN}, …]" and "1 ([{fd=3, revents=POLLIN}])". */
static void polls(struct replay *r, uint32_t call, struct waiting *w)
{
    const struct traced_call *c = &r->log->calls[call];
    struct span list = call_argument(c, 0), about;
    int64_t fd;

    while (span_find(&list, "{fd="))
        if (text_descriptor(&list, &fd, &about))
            watch(w, replay_socket(r, r->thread_of[call], fd, about));
    list = (struct span){c->result != NULL ? c->result : "", 0};
    list.length = strlen(list.at);
    while (span_find(&list, "{fd=")) {
        struct span bits;

        if (!text_descriptor(&list, &fd, &about) || !span_take(&list, ", revents="))
            continue;
        bits = (struct span){list.at, 0};
        while (bits.length < list.length && list.at[bits.length] != '}')
            bits.length++;
        make_ready(w, fd_get(r, r->thread_of[call], fd), ready_bits(bits));
    }
}

/* "[4<…> 6<…>]", and "1 (in [4], out [6])". */
static void selects(struct replay *r, uint32_t call, struct waiting *w)
{
    static const struct {
        const char *name;
        uint8_t ready;
    } sets[] = {{"(in [", READY_READ}, {", in [", READY_READ},
                {"(out [", READY_WRITE}, {", out [", READY_WRITE}};
    const struct traced_call *c = &r->log->calls[call];
    struct span about;
    int64_t fd;

    for (unsigned i = 1; i <= 3; i++) {
        struct span list = call_argument(c, i);

        for (span_take(&list, "["); text_descriptor(&list, &fd, &about); span_spaces(&list))
            watch(w, replay_socket(r, r->thread_of[call], fd, about));
    }
    for (size_t i = 0; c->result != NULL && i < sizeof sets / sizeof sets[0]; i++) {
        struct span list = {c->result, strlen(c->result)};

        if (!span_find(&list, sets[i].name))
            continue;
        for (; text_descriptor(&list, &fd, &about); span_spaces(&list))
            make_ready(w, fd_get(r, r->thread_of[call], fd), sets[i].ready);
    }
}

/* "{events=EPOLLIN, data={u32=3, u64=3}}": the 64 bits. */
static bool take_event(struct span *s, struct span *events, uint64_t *data)
{
    if (!span_find(s, "{events="))
        return false;
    *events = *s;
    if (!span_find(s, "u64=") || !span_number(s, data))
        return false;
    events->length = (size_t)(s->at - events->at);
    return true;
}

/* Sets of epoll are kept among the sockets, behind their descriptors. */
static uint32_t epoll_set(struct replay *r, uint32_t call, bool make)
{
    struct span s = call_argument(&r->log->calls[call], 0), about;
    uint32_t thread = r->thread_of[call], set;
    int64_t fd;

    if (!text_descriptor(&s, &fd, &about))
        return NO_SOCKET;
    set = fd_get(r, thread, fd);
    if (set == NO_SOCKET && make && fd >= 0 && fd < FD_MAX) {
        set = socket_new(r);
        r->sockets[set].is_epoll = true;
        fd_put(r, thread, fd, set, false);
    }
    return set != NO_SOCKET && r->sockets[set].is_epoll ? set : NO_SOCKET;
}

void replay_epoll_changes(struct replay *r, uint32_t call)
{
    const struct traced_call *c = &r->log->calls[call];
    struct touch *touch = replay_touch_in(r, call, 2, TOUCH_OTHER);
    uint32_t set = epoll_set(r, call, true);
    struct span event = call_argument(c, 3), events;
    struct socket_record *s;
    uint64_t data;
    size_t i = 0;

    if (touch == NULL || set == NO_SOCKET || !take_event(&event, &events, &data))
        return;
    s = &r->sockets[set];
    while (i < s->watched_count && s->watched[i].data != data)
        i++;
    if (i == WATCHED_MAX)
        return;
    if (i == s->watched_count)
        s->watched = need(reallocarray(s->watched, ++s->watched_count, sizeof *s->watched));
    s->watched[i] = (struct watched){data, touch->socket};
}

static void epoll_waits(struct replay *r, uint32_t call, struct waiting *w)
{
    uint32_t set = epoll_set(r, call, false);
    struct span list = call_argument(&r->log->calls[call], 1), events;
    const struct socket_record *s;
    uint64_t data;

    if (set == NO_SOCKET)
        return;
    s = &r->sockets[set];
    w->watched = s->watched_count;
    if (s->watched_count > 0)
        w->any = s->watched[0].socket;
    while (w->count < READY_MAX && take_event(&list, &events, &data))
        for (size_t i = 0; i < s->watched_count; i++)
            if (s->watched[i].data == data)
                make_ready(w, s->watched[i].socket, ready_bits(events));
}

void replay_waits(struct replay *r, uint32_t call)
{
    uint8_t name = r->log->calls[call].name;
    uint32_t last = r->threads[r->thread_of[call]].last_socket;
    struct waiting w = {.any = NO_SOCKET};

    if (name == NAME_POLL || name == NAME_PPOLL)
        polls(r, call, &w);
    else if (name == NAME_SELECT || name == NAME_PSELECT6)
        selects(r, call, &w);
    else
        epoll_waits(r, call, &w);
    for (size_t i = 0; i < w.count; i++)
        replay_touch(r, call, w.sockets[i], TOUCH_WAIT)->ready = w.ready[i];
    if (w.count > 0 || w.watched == 0)
        return;
    if (w.watched == 1)
        replay_touch(r, call, w.any, TOUCH_WAIT);
    else if (last != NO_SOCKET && !r->sockets[last].closed)
        replay_touch(r, call, last, TOUCH_WAIT);
}
