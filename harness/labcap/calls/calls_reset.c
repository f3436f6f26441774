/* calls_reset.c - why a connection was reset, and what closing a socket did. See
 * calls_internal.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_internal.h"
#include "memory.h"

/* One side of a connection. */
struct explained {
    struct calls *c;
    const struct flow *flow;
    const uint32_t *packets;
    size_t packet_count;
    uint8_t side;
    const struct socket_record *socket; /* of this side; NULL */
    const struct touch *closing;        /* what closed it for good; NULL */
    size_t closing_index;
    int64_t received; /* bytes that calls took; -1 not known */
};

static const char *who(const struct explained *e)
{
    return e->side == flow_client(e->flow) ? "the client" : "the server";
}

static void add_note(struct explained *e, uint64_t packet, const char *text)
{
    struct calls *c = e->c;

    if (c->note_count == c->note_capacity) {
        c->note_capacity = c->note_capacity > 0 ? c->note_capacity * 2 : 16;
        c->notes = need(reallocarray(c->notes, c->note_capacity, sizeof *c->notes));
    }
    c->notes[c->note_count++] = (struct packet_note){e->flow->id, packet, text};
}

static bool ends_process(const struct traced_call *call)
{
    return call->name == NAME_EXIT || call->name == NAME_EXIT_GROUP || call->name == NAME_GONE;
}

/* "closed", "ended", "was killed by SIGKILL". */
static const char *how(const struct explained *e)
{
    const struct traced_call *call = touch_call(e->c, e->closing);

    if (call->name == NAME_GONE && strncmp(call->arguments, "killed", 6) == 0)
        return calls_text(e->c, "was %.40s", call->arguments);
    return ends_process(call) ? "ended" : "closed";
}

/* Bytes that this side had not received when it sent a packet. *late: not one of them had come
 * before it closed. */
static int64_t unread(const struct explained *e, size_t packet, bool *late)
{
    int64_t bytes = 0, closed_ns = e->c->placed[e->closing->call].begin_ns;

    *late = true;
    for (size_t i = 0; i < e->packet_count && e->packets[i] < packet; i++) {
        const struct wire_packet *p = &e->c->wire.packets[e->packets[i]];
        int64_t end = p->seq + p->length - 1 + ((p->flags & TCP_SYN) != 0);

        if (p->side == e->side || (p->flags & TCP_RST) || (p->marks & MARK_UNREACHABLE) ||
            p->length == 0 || end <= e->received || p->arrival_ns == INT64_MAX)
            continue;
        *late = *late && p->arrival_ns > closed_ns;
        if (end - e->received > bytes)
            bytes = end - e->received;
    }
    return bytes;
}

static bool sent_fin_since(const struct explained *e, size_t packet, int64_t ns)
{
    for (size_t i = 0; i < e->packet_count && e->packets[i] < packet; i++) {
        const struct wire_packet *p = &e->c->wire.packets[e->packets[i]];

        if (p->side == e->side && (p->flags & TCP_FIN) && p->time_ns >= ns)
            return true;
    }
    return false;
}

/* The reset of a side that has closed. */
static const char *explain_closed(struct explained *e, size_t packet)
{
    const struct placed *closing = &e->c->placed[e->closing->call];
    bool late;
    int64_t bytes = e->received >= 0 ? unread(e, packet, &late) : 0;

    if (e->c->wire.packets[packet].time_ns < closing->begin_ns - e->c->wire.unit_ns + 1)
        return NULL;
    if (touch_call(e->c, e->closing)->name == NAME_CONNECT)
        return calls_text(e->c, "%s ended the connection with connect(AF_UNSPEC)", who(e));
    if (e->socket->linger_zero && !ends_process(touch_call(e->c, e->closing)))
        return calls_text(e->c, "%s closed with SO_LINGER at 0 seconds", who(e));
    if (sent_fin_since(e, packet, closing->begin_ns) || (bytes > 0 && late))
        return calls_text(e->c, "data came after %s had closed", who(e));
    if (bytes > 0) {
        e->c->touch_notes[e->closing_index] =
            calls_text(e->c, "%" PRId64 " byte%s unread", bytes, bytes == 1 ? " was" : "s were");
        return calls_text(e->c, "%s %s with %" PRId64 " byte%s unread", who(e), how(e), bytes,
                          bytes == 1 ? "" : "s");
    }
    return NULL;
}

/* The reset of a side whose socket is not known: nobody has taken the connection. */
static const char *explain_unknown(struct explained *e, size_t packet)
{
    int64_t ns = e->c->wire.packets[packet].time_ns;
    const struct endpoint *end = &e->flow->end[e->side];

    for (size_t i = 0; i < e->c->replay.socket_count; i++) {
        const struct socket_record *s = &e->c->replay.sockets[i];

        if (!s->listening || s->local.end.port != end->port)
            continue;
        if (e->flow->tcp.refused && s->from_ns > ns)
            return "listen was called only later";
        if (s->closed && e->c->log.calls[s->closing_call].begin_ns <= ns)
            return e->flow->tcp.refused ? "the listening socket was closed by then"
                                        : "the server closed its listening socket and had not "
                                          "accepted";
    }
    return NULL;
}

/* ---- A side ---- */

static int64_t bytes_received(const struct explained *e, const uint32_t *touches, size_t count)
{
    int64_t sum = 0;

    if (!e->socket->from_start || !e->flow->tcp.side[e->side ^ 1].syn_seen)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &e->c->replay.touches[touches[i]];
        int64_t bytes = touch_bytes(e->c, t);

        if (t->side == e->side && t->kind == TOUCH_RECEIVE && bytes > 0 &&
            !span_contains(call_arguments(touch_call(e->c, t)), "MSG_PEEK"))
            sum += bytes;
    }
    return sum;
}

/* What the touches of this side tell of its socket. */
static void find_socket(struct explained *e, const uint32_t *touches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &e->c->replay.touches[touches[i]];
        uint32_t socket = t->kind == TOUCH_ACCEPT ? t->accepted : t->socket;
        const struct socket_record *s = &e->c->replay.sockets[socket];

        if (t->side != e->side || s->listening || s->flow != e->flow->id)
            continue;
        e->socket = s;
        if (t->kind == TOUCH_CLOSE && s->closed && s->closing_call == t->call) {
            e->closing = t;
            e->closing_index = touches[i];
        }
    }
    if (e->socket != NULL)
        e->received = bytes_received(e, touches, count);
}

static void explain_side(struct explained *e)
{
    bool fin = false;

    for (size_t i = 0; i < e->packet_count; i++) {
        const struct wire_packet *p = &e->c->wire.packets[e->packets[i]];
        const char *text = NULL;

        if (p->side != e->side || (p->marks & MARK_UNREACHABLE))
            continue;
        if (p->flags & TCP_RST) {
            text = e->closing != NULL  ? explain_closed(e, e->packets[i])
                   : e->socket == NULL ? explain_unknown(e, e->packets[i])
                                       : NULL;
        } else if ((p->flags & TCP_FIN) && !fin) {
            fin = true;
            if (e->closing != NULL && ends_process(touch_call(e->c, e->closing)) &&
                p->time_ns >= e->c->placed[e->closing->call].begin_ns)
                text = calls_text(e->c, "%s %s without a close", who(e), how(e));
        }
        if (text != NULL)
            add_note(e, p->number, text);
    }
}

/* So many calls before a close are looked through for one that is still being made. */
enum { LOOKED_THROUGH = BOUND(256, 4) };

/* "recv" of another thread of the process that has not ended when this one closes: the kernel
 * closes the connection only when it has. NULL if there is none. */
static const char *still_in(const struct calls *c, const uint32_t *touches, size_t at)
{
    const struct touch *closing = &c->replay.touches[touches[at]];
    const struct traced_call *close = touch_call(c, closing);

    for (size_t i = at; i > 0 && at - i < LOOKED_THROUGH; i--) {
        const struct touch *t = &c->replay.touches[touches[i - 1]];
        const struct traced_call *call = touch_call(c, t);

        if (t->socket != closing->socket || t->process != closing->process ||
            c->replay.thread_of[t->call] == c->replay.thread_of[closing->call] ||
            (t->kind != TOUCH_RECEIVE && t->kind != TOUCH_SEND))
            continue;
        if (call->result == NULL || call->end_low_ns > close->begin_ns)
            return call->name == NAME_RECVFROM ? "recv"
                   : call->name == NAME_SENDTO ? "send"
                                               : traced_name(call);
    }
    return NULL;
}

static void note_closes(struct calls *c, const uint32_t *touches, size_t count)
{
    const char *name;

    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &c->replay.touches[touches[i]];

        if (t->kind == TOUCH_CLOSE && t->remaining > 0 &&
            touch_call(c, t)->name != NAME_SHUTDOWN && !touch_socket(c, t)->listening)
            c->touch_notes[touches[i]] = "still open elsewhere";
        else if (t->kind == TOUCH_CLOSE && touch_call(c, t)->name == NAME_CLOSE &&
                 (name = still_in(c, touches, i)) != NULL)
            c->touch_notes[touches[i]] = calls_text(c, "another thread is in %s", name);
    }
}

void calls_explain(struct calls *c)
{
    for (uint32_t id = 1; id <= c->wire.flow_count; id++) {
        const struct flow *flow = flow_by_id(c->wire.flows, id);
        const uint32_t *touches = c->touches + c->flow_first[id];
        size_t count = c->flow_first[id + 1] - c->flow_first[id];

        if (flow->protocol != IP_TCP)
            continue;
        note_closes(c, touches, count);
        for (uint8_t side = 0; side < 2; side++) {
            struct explained e = {.c = c, .flow = flow, .side = side, .received = -1};

            e.packets = wire_of_flow(&c->wire, id, &e.packet_count);
            find_socket(&e, touches, count);
            explain_side(&e);
        }
    }
}
