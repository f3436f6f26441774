/* calls_cause.c - what must have happened on the wire before a call ended, and which packets it
 * sent itself: TCP. See calls_internal.h.
 *
 * Bytes are counted: what the calls of a socket sent and received, in order, are the positions of
 * the two streams. That holds only where all calls of the socket are in the log. */
#include <stdlib.h>
#include <string.h>

#include "calls_internal.h"
#include "interval.h"
#include "memory.h"

/* A packet that leaves within this time after a call has, as far as is known, ended was sent by
 * it all the same: strace starts its clock late. Nothing rests on it but the order of two rows. */
enum { LATE_NS = 1000000 };

int64_t touch_bytes(const struct calls *c, const struct touch *t)
{
    int64_t count;

    return call_result(touch_call(c, t), &count) && count >= 0 ? count : -1;
}

void calls_after(struct calls *c, const struct touch *t, size_t packet, bool other_side)
{
    struct placed *placed = &c->placed[t->call];
    const struct wire_packet *p = &c->wire.packets[packet];

    if (p->arrival_ns == INT64_MAX)
        return;
    if (p->arrival_ns > touch_call(c, t)->end_high_ns) {
        c->violations++;
        return;
    }
    if (packet + 1 > placed->cause_at)
        placed->cause_at = packet + 1;
    if (p->arrival_ns > placed->cause_ns)
        placed->cause_ns = p->arrival_ns;
    placed->caused = placed->caused || other_side;
}

void calls_sent(struct calls *c, const struct touch *t, size_t packet)
{
    const struct traced_call *call = touch_call(c, t);
    struct placed *placed = &c->placed[t->call];
    const struct wire_packet *p = &c->wire.packets[packet];

    if (p->time_ns < call->begin_ns - c->wire.unit_ns + 1)
        return;
    if (placed->first_at == NOWHERE || packet + 1 < placed->first_at)
        placed->first_at = packet + 1;
    if (call->result == NULL || p->time_ns > call->end_high_ns ||
        p->time_ns > call->end_low_ns + LATE_NS)
        return;
    if (packet + 1 > placed->cause_at)
        placed->cause_at = packet + 1;
    if (p->time_ns > placed->cause_ns)
        placed->cause_ns = p->time_ns;
}

/* ---- One side of a connection ---- */

/* Something has arrived: so many bytes in a row are there now, and the end of the stream, or a
 * reset. */
struct arrival {
    size_t packet;
    int64_t bytes;
    bool fin, reset;
};

struct tcp_side_calls {
    struct calls *c;
    const struct flow *flow;
    const uint32_t *packets; /* of the flow */
    size_t packet_count;
    const uint32_t *touches; /* of this side */
    size_t touch_count;
    uint8_t side;
    struct arrival *arrivals;
    size_t arrival_count;
    int64_t shut_ns; /* when it gave up receiving: no FIN is needed then; INT64_MAX never */
};

static const struct wire_packet *packet_at(const struct tcp_side_calls *s, size_t i)
{
    return &s->c->wire.packets[s->packets[i]];
}

static const struct touch *touch_at(const struct tcp_side_calls *s, size_t i)
{
    return &s->c->replay.touches[s->touches[i]];
}

static bool of_connection(const struct wire_packet *p)
{
    return !(p->marks & MARK_UNREACHABLE);
}

/* Where payload begins: a SYN takes one position. */
static int64_t data_start(const struct wire_packet *p)
{
    return p->seq + ((p->flags & TCP_SYN) != 0);
}

static int64_t bytes_in_a_row(const struct interval_set *set)
{
    const struct interval *first = interval_items(set);

    return set->count > 0 && first->start <= 1 ? first->end - 1 : 0;
}

static void find_arrivals(struct tcp_side_calls *s)
{
    uint32_t *order = need(malloc((s->packet_count + 1) * sizeof *order));
    struct interval_set seen = {0};
    int64_t fin_at = INT64_MAX;

    memcpy(order, s->packets, s->packet_count * sizeof *order);
    wire_sort_arrivals(&s->c->wire, order, s->packet_count);
    s->arrivals = need(malloc((s->packet_count + 1) * sizeof *s->arrivals));
    for (size_t i = 0; i < s->packet_count; i++) {
        const struct wire_packet *p = &s->c->wire.packets[order[i]];
        struct arrival *a = &s->arrivals[s->arrival_count];

        if (p->side == s->side || !of_connection(p) || p->arrival_ns == INT64_MAX)
            continue;
        if (!(p->flags & TCP_RST) && p->length > 0)
            interval_add(&seen, data_start(p), data_start(p) + p->length, INT64_MAX);
        if ((p->flags & (TCP_FIN | TCP_RST)) == TCP_FIN)
            fin_at = data_start(p) + p->length;
        *a = (struct arrival){.packet = order[i],
                              .bytes = bytes_in_a_row(&seen),
                              .reset = (p->flags & TCP_RST) != 0};
        a->fin = fin_at <= a->bytes + 1;
        s->arrival_count++;
    }
    interval_free(&seen);
    free(order);
}

/* The first arrival with so many bytes, or (bytes -1) with the end of the stream or a reset. */
static const struct arrival *first_arrival(const struct tcp_side_calls *s, int64_t bytes)
{
    size_t low = 0, high = s->arrival_count;

    if (bytes < 0) {
        for (size_t i = 0; i < s->arrival_count; i++)
            if (s->arrivals[i].fin || s->arrivals[i].reset)
                return &s->arrivals[i];
        return NULL;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->arrivals[middle].bytes < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->arrival_count ? &s->arrivals[low] : NULL;
}

/* ---- Receiving and waiting ---- */

/* Touches by the ends of their calls: who received first got the first bytes. */
struct by_end {
    int64_t end_ns;
    uint32_t touch, order;
};

static int compare_ends(const void *left, const void *right)
{
    const struct by_end *a = left, *b = right;

    if (a->end_ns != b->end_ns)
        return a->end_ns < b->end_ns ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static void after_arrival(const struct tcp_side_calls *s, const struct touch *t,
                          const struct arrival *a)
{
    if (a != NULL)
        calls_after(s->c, t, a->packet, true);
}

/* Returns how many bytes the call took out of the stream. */
static int64_t receive(const struct tcp_side_calls *s, const struct touch *t, int64_t got)
{
    const struct traced_call *call = touch_call(s->c, t);
    int64_t bytes = touch_bytes(s->c, t);
    bool nothing_asked = span_is(call_argument(call, 2), "0");

    if (bytes > 0) {
        after_arrival(s, t, first_arrival(s, got + bytes));
        return span_contains(call_arguments(call), "MSG_PEEK") ? 0 : bytes;
    }
    if ((bytes == 0 && !nothing_asked && s->shut_ns >= call->end_high_ns) ||
        call_failed(call, "ECONNRESET"))
        after_arrival(s, t, first_arrival(s, -1));
    return 0;
}

static void wait_for(const struct tcp_side_calls *s, const struct touch *t, int64_t got)
{
    const struct arrival *data = first_arrival(s, got + 1), *end = first_arrival(s, -1);

    if (touch_socket(s->c, t)->listening || !(t->ready & READY_READ) ||
        s->shut_ns < touch_call(s->c, t)->end_high_ns)
        return;
    after_arrival(s, t, data == NULL || (end != NULL && end < data) ? end : data);
}

/* shutdown(SHUT_RD), shutdown(SHUT_RDWR). */
static int64_t shut_at(const struct tcp_side_calls *s)
{
    for (size_t i = 0; i < s->touch_count; i++) {
        const struct traced_call *call = touch_call(s->c, touch_at(s, i));
        int64_t result;

        if (call->name == NAME_SHUTDOWN && span_contains(call_argument(call, 1), "SHUT_RD") &&
            (!call_result(call, &result) || result == 0))
            return call->begin_ns;
    }
    return INT64_MAX;
}

static void find_received(const struct tcp_side_calls *s)
{
    struct by_end *order = need(malloc((s->touch_count + 1) * sizeof *order));
    size_t count = 0;
    int64_t got = 0;

    for (size_t i = 0; i < s->touch_count; i++) {
        const struct touch *t = touch_at(s, i);

        if ((t->kind == TOUCH_RECEIVE || t->kind == TOUCH_WAIT) &&
            touch_call(s->c, t)->result != NULL && touch_socket(s->c, t)->from_start)
            order[count++] =
                (struct by_end){touch_call(s->c, t)->end_low_ns, s->touches[i], (uint32_t)i};
    }
    qsort(order, count, sizeof *order, compare_ends);
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &s->c->replay.touches[order[i].touch];

        if (t->kind == TOUCH_WAIT)
            wait_for(s, t, got);
        else
            got += receive(s, t, got);
    }
    free(order);
}

/* ---- Sending ---- */

/* Goes through the side's packets and its sends at once: each byte's call began before it left,
 * and a call that ended soon after its packets ended after them. */
static void find_sent(const struct tcp_side_calls *s)
{
    int64_t given = 0, highest = 0;
    size_t next = 0;
    const struct touch *t = NULL;

    for (size_t i = 0; i < s->packet_count; i++) {
        const struct wire_packet *p = packet_at(s, i);
        int64_t end = data_start(p) + p->length - 1; /* bytes up to this packet's last one */

        if (p->side != s->side || !of_connection(p) || p->length == 0 || end <= highest ||
            (p->flags & TCP_RST))
            continue;
        highest = end;
        while (given < end && next < s->touch_count) {
            const struct touch *candidate = touch_at(s, next++);
            int64_t bytes = touch_bytes(s->c, candidate);

            if (candidate->kind != TOUCH_SEND)
                continue;
            if (touch_call(s->c, candidate)->result == NULL)
                bytes = INT64_MAX / 2 - given; /* it never ended: who knows how much it sent */
            if (bytes <= 0)
                continue;
            given += bytes;
            t = candidate;
            if (touch_call(s->c, t)->begin_ns - s->c->wire.unit_ns + 1 > p->time_ns)
                s->c->violations++;
            calls_sent(s->c, t, s->packets[i]);
        }
        if (t != NULL && given >= end)
            calls_sent(s->c, t, s->packets[i]);
    }
}

/* ---- Opening and closing ---- */

static void after_number(const struct tcp_side_calls *s, const struct touch *t, uint64_t number,
                         bool other_side)
{
    size_t packet = wire_find(&s->c->wire, number);

    if (number != 0 && packet < s->c->wire.count)
        calls_after(s->c, t, packet, other_side);
}

/* The kernel has answered the SYN+ACK before connect returns. */
static void acknowledges(const struct tcp_side_calls *s, const struct touch *t, size_t ack)
{
    const struct wire_packet *p = &s->c->wire.packets[ack];

    if (ack < s->c->wire.count && p->length == 0 && !(p->flags & TCP_FIN))
        calls_sent(s->c, t, ack);
}

static void find_opened(const struct tcp_side_calls *s, const struct touch *t)
{
    const struct tcp_connection *tcp = &s->flow->tcp;
    const struct traced_call *call = touch_call(s->c, t);
    size_t syn = wire_find(&s->c->wire, tcp->syn);
    int64_t result;
    bool done = call_result(call, &result) && result >= 0;

    if (t->kind == TOUCH_CONNECT) {
        if (tcp->syn != 0 && syn < s->c->wire.count)
            calls_sent(s->c, t, syn);
        if (done) {
            after_number(s, t, tcp->syn_ack, true);
            acknowledges(s, t, wire_find(&s->c->wire, tcp->ack));
        }
        else if (call_failed(call, "ECONNREFUSED"))
            after_number(s, t, tcp->reset, true);
    }
    if (t->kind == TOUCH_SEND && call_opens_fast(call) && tcp->syn != 0 &&
        syn < s->c->wire.count) {
        calls_sent(s->c, t, syn);
        if (done && s->c->wire.packets[syn].length == 0)
            after_number(s, t, tcp->syn_ack, true);
    }
    if (done && tcp->complete &&
        (t->kind == TOUCH_ACCEPT || (t->kind == TOUCH_WAIT && touch_socket(s->c, t)->listening)))
        after_number(s, t, tcp->ack, true);
    if (t->kind == TOUCH_WAIT && (t->ready & READY_WRITE) && touch_socket(s->c, t)->connecting)
        after_number(s, t, tcp->syn_ack, true);
}

/* The FIN or RST that left while the call was made. Of a process that was killed only the end is
 * known: it sent its last ones before that. */
static void find_closed(const struct tcp_side_calls *s, const struct touch *t)
{
    const struct traced_call *call = touch_call(s->c, t);
    struct placed *placed = &s->c->placed[t->call];
    bool gone = call->name == NAME_GONE;

    for (size_t i = 0; i < s->packet_count; i++) {
        const struct wire_packet *p = packet_at(s, i);

        if (p->side != s->side || !of_connection(p) || !(p->flags & (TCP_FIN | TCP_RST)) ||
            (p->marks & MARK_RETRANSMISSION))
            continue;
        if (gone && p->time_ns <= call->begin_ns) {
            placed->first_at = s->packets[i] + 1;
        } else if (!gone && p->time_ns >= call->begin_ns - s->c->wire.unit_ns + 1) {
            calls_sent(s->c, t, s->packets[i]);
            return;
        }
    }
}

/* ---- A flow ---- */

static void cause_side(struct calls *c, const struct flow *flow, uint8_t side,
                       const uint32_t *touches, size_t count)
{
    struct tcp_side_calls s = {c, flow, .touches = touches, .touch_count = count, .side = side};
    bool whole = false;

    s.packets = wire_of_flow(&c->wire, flow->id, &s.packet_count);
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = touch_at(&s, i);

        whole = whole || touch_socket(c, t)->from_start;
        find_opened(&s, t);
        if (t->kind == TOUCH_CLOSE)
            find_closed(&s, t);
    }
    if (!whole)
        return;
    if (flow->tcp.side[side].syn_seen)
        find_sent(&s);
    if (flow->tcp.side[side ^ 1].syn_seen) {
        find_arrivals(&s);
        s.shut_ns = shut_at(&s);
        find_received(&s);
        free(s.arrivals);
    }
}

static void cause_flow(struct calls *c, const struct flow *flow)
{
    size_t first = c->flow_first[flow->id], count = c->flow_first[flow->id + 1] - first;
    uint32_t *touches;

    if (count == 0)
        return;
    if (flow->protocol == IP_UDP) {
        calls_cause_udp(c, flow, c->touches + first, count);
        return;
    }
    touches = need(malloc(count * sizeof *touches));
    for (uint8_t side = 0; side < 2; side++) {
        size_t of_side = 0;

        for (size_t i = 0; i < count; i++)
            if (c->replay.touches[c->touches[first + i]].side == side)
                touches[of_side++] = c->touches[first + i];
        cause_side(c, flow, side, touches, of_side);
    }
    free(touches);
}

void calls_find_causes(struct calls *c)
{
    c->placed = need(calloc(c->log.call_count + 1, sizeof *c->placed));
    c->touch_notes = need(calloc(c->replay.touch_count + 1, sizeof *c->touch_notes));
    for (size_t id = 1; id <= c->wire.flow_count; id++)
        cause_flow(c, flow_by_id(c->wire.flows, id));
}
