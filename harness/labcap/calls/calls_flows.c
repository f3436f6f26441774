/* calls_flows.c - sockets to flows. See calls_internal.h.
 *
 * A connection is found by its ends and by when it can have begun: its SYN leaves while connect
 * is called; it was there before accept returned, and not before listen was called. */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_internal.h"
#include "memory.h"

struct finding {
    struct calls *c;
    uint8_t *claimed;      /* by flow: a bit for each side whose socket is known */
    uint32_t *first_flow;  /* by socket: of UDP and listening ones */
    uint32_t *recent_flow; /* by socket: of the touch before, or behind */
    uint32_t *recent_thread;
    uint8_t *taken; /* by packet: a datagram that was received and who sent it is not told */
};

static struct wire_query query_of(const struct socket_record *s, int64_t from_ns, int64_t to_ns)
{
    return (struct wire_query){s->protocol, s->local, s->remote, from_ns, to_ns};
}

static void take_flow(struct finding *f, struct socket_record *s, const struct flow *flow,
                      unsigned side)
{
    s->flow = flow->id;
    s->side = (uint8_t)side;
    s->local.end = flow->end[side];
    s->local.ip_version = flow->ip_version;
    f->claimed[flow->id] |= (uint8_t)(1 << side);
}

/* ---- TCP ---- */

static void find_connected(struct finding *f, struct socket_record *s)
{
    struct wire_query q = query_of(s, s->from_ns, s->to_ns);
    struct flow *flow;
    unsigned side;

    for (size_t at = 0; wire_flows(&f->c->wire, &q, &at, &flow, &side);) {
        if (side == flow_client(flow) && !(f->claimed[flow->id] & 1 << side)) {
            take_flow(f, s, flow, side);
            return;
        }
    }
}

static void find_accepted(struct finding *f, struct socket_record *s)
{
    struct wire_query q = query_of(s, s->from_ns != 0 ? s->from_ns : WIRE_EVER, s->to_ns);
    struct flow *flow;
    unsigned side;

    if (s->remote.ip_version != 0 && wire_last_flow(&f->c->wire, &q, &flow, &side))
        take_flow(f, s, flow, side);
}

/* A socket that was there before the log begins: the latest flow that had begun when it was
 * touched. */
static void find_older(struct finding *f, struct socket_record *s, int64_t touched_ns)
{
    struct wire_query q = query_of(s, WIRE_EVER, touched_ns);
    struct flow *flow;
    unsigned side;

    if (s->remote.ip_version != 0 && wire_last_flow(&f->c->wire, &q, &flow, &side))
        take_flow(f, s, flow, side);
}

/* The first connection that came to a listening socket. */
static uint32_t find_first(struct finding *f, const struct socket_record *s)
{
    struct wire_query q = query_of(s, s->from_ns, INT64_MAX);
    struct flow *flow;
    unsigned side;

    memset(&q.remote, 0, sizeof q.remote);
    for (size_t at = 0; wire_flows(&f->c->wire, &q, &at, &flow, &side);)
        if (side != flow_client(flow))
            return flow->id;
    return 0;
}

static void find_connection(struct finding *f, const struct touch *t)
{
    struct socket_record *s = touch_socket(f->c, t);

    if (s->protocol != IP_TCP || s->looked_for)
        return;
    s->looked_for = true;
    if (s->listening && s->local.end.port != 0)
        f->first_flow[t->socket] = find_first(f, s);
    else if (s->accepted)
        find_accepted(f, s);
    else if (s->connecting)
        find_connected(f, s);
    else
        find_older(f, s, touch_call(f->c, t)->end_high_ns);
}

/* ---- UDP ---- */

/* The other end, as the call itself tells it. */
static bool told_remote(const struct traced_call *call, struct text_address *remote)
{
    struct span s;

    switch ((enum traced_name)call->name) {
    case NAME_SENDTO:
    case NAME_RECVFROM:
        return text_sockaddr(call_argument(call, 4), remote);
    case NAME_SENDMSG:
    case NAME_RECVMSG:
    case NAME_SENDMMSG:
    case NAME_RECVMMSG:
        s = call_argument(call, 1);
        return span_find(&s, "msg_name=") && span_starts(s, "{sa_family") &&
               text_sockaddr(s, remote);
    default:
        return false;
    }
}

/* So many flows, and datagrams of each before the call's end, are looked through for one. */
enum { FLOWS_MAX = BOUND(32, 2), DATAGRAMS_MAX = BOUND(256, 2) };

/* The first datagram to this side of the flow that is what was received; NULL. */
static const struct wire_packet *find_in(struct finding *f, const struct flow *flow, unsigned side,
                                         const struct datagram_sought *what, int64_t until_ns)
{
    size_t from = 0, count, high;
    const uint32_t *packets = wire_of_flow(&f->c->wire, flow->id, &count);

    for (high = count; from < high;) {
        size_t middle = from + (high - from) / 2;

        if (f->c->wire.packets[packets[middle]].time_ns <= until_ns)
            from = middle + 1;
        else
            high = middle;
    }
    count = from;
    from = count > DATAGRAMS_MAX ? count - DATAGRAMS_MAX : 0;
    for (int cut = 0; cut < 1 + what->cut; cut++) {
        for (size_t i = from; i < count; i++) {
            const struct wire_packet *p = &f->c->wire.packets[packets[i]];

            if (p->side != side && !(p->marks & MARK_UNREACHABLE) && p->arrival_ns <= until_ns &&
                !f->taken[packets[i]] && calls_is_datagram(p, what, cut != 0))
                return p;
        }
    }
    return NULL;
}

/* recv() of a socket that is not connected: the datagram tells who sent it. */
static bool find_received(struct finding *f, const struct touch *t, struct flow **flow,
                          unsigned *side)
{
    const struct traced_call *call = touch_call(f->c, t);
    struct wire_query q = query_of(touch_socket(f->c, t), WIRE_EVER, call->end_high_ns);
    const struct wire_packet *first = NULL, *p;
    struct datagram_sought what;
    struct flow *other;
    unsigned its_side, looked_at = 0;

    if (t->kind != TOUCH_RECEIVE || !calls_datagram(f->c, t, &what))
        return false;
    for (size_t at = 0;
         looked_at < FLOWS_MAX && wire_flows(&f->c->wire, &q, &at, &other, &its_side);
         looked_at++) {
        p = find_in(f, other, its_side, &what, call->end_high_ns);
        if (p == NULL || (first != NULL && p->arrival_ns >= first->arrival_ns))
            continue;
        first = p;
        *flow = other;
        *side = its_side;
    }
    if (first != NULL && !span_contains(call_arguments(call), "MSG_PEEK"))
        f->taken[first - f->c->wire.packets] = 1;
    return first != NULL;
}

static bool find_datagrams(struct finding *f, const struct touch *t, struct flow **flow,
                           unsigned *side)
{
    struct socket_record *s = touch_socket(f->c, t);
    const struct traced_call *call = touch_call(f->c, t);
    struct wire_query q = query_of(s, WIRE_EVER, call->end_high_ns);

    if (!told_remote(call, &q.remote) && s->remote.ip_version == 0)
        return s->local.end.port != 0 && find_received(f, t, flow, side);
    if (s->local.end.port != 0)
        return wire_last_flow(&f->c->wire, &q, flow, side);
    q.from_ns = call->begin_ns; /* the port is not known yet: its first datagram tells */
    for (size_t at = 0; wire_flows(&f->c->wire, &q, &at, flow, side);) {
        if (*side == flow_client(*flow) && !(f->claimed[(*flow)->id] & 1 << *side)) {
            s->local.end.port = (*flow)->end[*side].port;
            return true;
        }
    }
    return false;
}

static void find_datagram_flow(struct finding *f, struct touch *t)
{
    struct flow *flow;
    unsigned side;
    uint32_t *recent = &f->recent_flow[t->socket];

    if (t->kind == TOUCH_SEND || t->kind == TOUCH_RECEIVE) {
        if (find_datagrams(f, t, &flow, &side)) {
            t->flow = flow->id;
            t->side = (uint8_t)side;
            f->claimed[flow->id] |= (uint8_t)(1 << side);
            touch_socket(f->c, t)->side = (uint8_t)side;
        }
        if (t->flow != 0 && f->first_flow[t->socket] == 0)
            f->first_flow[t->socket] = t->flow;
        if (t->flow != 0)
            *recent = t->flow;
    } else if (*recent != 0 && t->kind != TOUCH_WAIT && t->kind != TOUCH_CONNECT) {
        t->flow = *recent;
    }
}

/* ---- All touches ---- */

static void find_flow(struct finding *f, struct touch *t)
{
    const struct socket_record *s = touch_socket(f->c, t);

    if (t->kind == TOUCH_ACCEPT) {
        if (t->accepted == NO_SOCKET)
            return;
        s = &f->c->replay.sockets[t->accepted];
    }
    if (s->protocol == IP_UDP)
        find_datagram_flow(f, t);
    else if (s->flow != 0)
        t->flow = s->flow;
    t->side = s->side;
}

/* The socket's side of a flow that was found for it. */
static uint8_t side_of(const struct flow *flow, const struct socket_record *s, uint8_t known)
{
    uint16_t port = s->local.end.port;

    if (s->listening)
        return (uint8_t)(flow_client(flow) ^ 1);
    if (s->protocol != IP_UDP || flow->end[0].port == flow->end[1].port)
        return known;
    return flow->end[0].port == port ? 0 : 1;
}

/* Behind find_flow(), from the last touch to the first: what came before a socket had a flow
 * stands at the first one; a wait stands at the flow of what its thread did next. */
static void find_flow_behind(struct finding *f, struct touch *t)
{
    const struct socket_record *s = touch_socket(f->c, t);
    uint32_t thread = f->c->replay.thread_of[t->call], *recent = &f->recent_flow[t->socket];

    if (t->kind == TOUCH_WAIT && t->flow == 0 && (s->listening || s->protocol == IP_UDP)) {
        if (*recent != 0 && f->recent_thread[t->socket] == thread)
            t->flow = *recent;
    } else if (t->flow == 0 && t->kind == TOUCH_CONNECT && s->protocol == IP_UDP) {
        t->flow = *recent; /* it sends nothing: what comes next is meant */
    } else if (t->flow == 0 && t->kind == TOUCH_SETUP) {
        t->flow = f->first_flow[t->socket];
    }
    if (t->flow == 0)
        return;
    t->side = side_of(flow_by_id(f->c->wire.flows, t->flow), s, t->side);
    if (t->kind == TOUCH_ACCEPT || t->kind == TOUCH_RECEIVE || t->kind == TOUCH_SEND) {
        *recent = t->flow;
        f->recent_thread[t->socket] = thread;
    }
}

/* Touches of each flow, in the order of their calls. */
static void index_touches(struct calls *c)
{
    struct replay *r = &c->replay;
    size_t flows = c->wire.flow_count;
    size_t *next = need(calloc(flows + 2, sizeof *next));

    c->flow_first = need(calloc(flows + 2, sizeof *c->flow_first));
    c->touches = need(malloc((r->touch_count + 1) * sizeof *c->touches));
    for (size_t i = 0; i < r->touch_count; i++) {
        if (c->log.files[touch_call(c, &r->touches[i])->file].elsewhere)
            r->touches[i].flow = 0;
        c->flow_first[r->touches[i].flow + 1]++;
    }
    for (size_t id = 1; id <= flows + 1; id++)
        c->flow_first[id] += c->flow_first[id - 1];
    memcpy(next, c->flow_first, (flows + 2) * sizeof *next);
    for (size_t i = 0; i < r->touch_count; i++)
        c->touches[next[r->touches[i].flow]++] = (uint32_t)i;
    free(next);
}

void calls_find_flows(struct calls *c)
{
    struct replay *r = &c->replay;
    struct finding f = {.c = c};

    f.claimed = need(calloc(c->wire.flow_count + 1, 1));
    f.first_flow = need(calloc(r->socket_count + 1, sizeof *f.first_flow));
    f.recent_flow = need(calloc(r->socket_count + 1, sizeof *f.recent_flow));
    f.recent_thread = need(calloc(r->socket_count + 1, sizeof *f.recent_thread));
    f.taken = need(calloc(c->wire.count + 1, 1));
    for (size_t i = 0; i < r->touch_count; i++) {
        find_connection(&f, &r->touches[i]);
        if (r->touches[i].accepted != NO_SOCKET)
            find_connection(&f, &(struct touch){.call = r->touches[i].call,
                                                .socket = r->touches[i].accepted});
    }
    for (size_t i = 0; i < r->touch_count; i++)
        find_flow(&f, &r->touches[i]);
    memset(f.recent_flow, 0, r->socket_count * sizeof *f.recent_flow);
    for (size_t i = r->touch_count; i > 0; i--)
        find_flow_behind(&f, &r->touches[i - 1]);
    free(f.claimed);
    free(f.taken);
    free(f.first_flow);
    free(f.recent_flow);
    free(f.recent_thread);
    index_touches(c);
}
