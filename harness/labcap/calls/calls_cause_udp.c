/* calls_cause_udp.c - which datagram a call sent or received. See calls_cause.c.
 *
 * A datagram is known by its length and how it begins, and of equal ones by their order. What was
 * sent and is not on the wire, or was on the wire and never received, is passed over. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "calls_internal.h"
#include "memory.h"

/* So many datagrams before the call are looked through: more do not wait in a socket. */
enum { LOOKED_THROUGH = BOUND(1024, 4), HEAD_KNOWN = 16 };

/* One side as a sender; to the other side, a datagram that was duplicated comes several times. */
struct udp_side_calls {
    struct calls *c;
    const struct flow *flow;
    uint8_t sender;
    uint32_t *sent; /* indexes of packets, in the order of the file */
    size_t sent_count;
    uint32_t *arrived; /* the same by arrival */
    uint16_t *taken;   /* how often it was received */
    size_t arrived_count;
};

static const struct wire_packet *packet_of(const struct udp_side_calls *s, uint32_t index)
{
    return &s->c->wire.packets[index];
}

bool calls_datagram(const struct calls *c, const struct touch *t, struct datagram_sought *what)
{
    const struct traced_call *call = touch_call(c, t);
    struct span flags = call_argument(call, 3), size = call_argument(call, 2);
    uint8_t bytes[HEAD_KNOWN];
    size_t known = touch_data(c, t, bytes, sizeof bytes);
    int64_t room;

    what->length = touch_bytes(c, t);
    if (what->length < 0)
        return false;
    what->head = wire_head(bytes, known, (size_t)what->length);
    what->cut = false;
    if (call->name == NAME_RECVMSG)
        what->cut = span_contains(call_argument(call, 1), "MSG_TRUNC");
    else if (call->name == NAME_READ || call->name == NAME_RECV || call->name == NAME_RECVFROM)
        what->cut = span_integer(&size, &room) && room == what->length &&
                    !span_contains(flags, "MSG_TRUNC");
    return true;
}

bool calls_is_datagram(const struct wire_packet *p, const struct datagram_sought *what, bool cut)
{
    bool comparable = p->head != 0 && what->head != 0;

    if (cut) /* heads are of so many bytes, or of the whole */
        return what->cut && p->length > what->length &&
               (!comparable || what->length < HEAD_KNOWN || p->head == what->head);
    return p->length == what->length && (!comparable || p->head == what->head);
}

/* ---- Sent ---- */

/* The first such datagram from `next` on that was sent until then; sent_count if there is none. */
static size_t find_before(const struct udp_side_calls *s, size_t next, int64_t until_ns,
                          const struct datagram_sought *what)
{
    for (; next < s->sent_count && packet_of(s, s->sent[next])->time_ns <= until_ns; next++)
        if (calls_is_datagram(packet_of(s, s->sent[next]), what, false))
            return next;
    return s->sent_count;
}

static void find_sent(const struct udp_side_calls *s, const uint32_t *touches, size_t count)
{
    size_t next = 0;

    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &s->c->replay.touches[touches[i]];
        const struct traced_call *call = touch_call(s->c, t);
        struct datagram_sought what;
        size_t found;

        if (t->kind != TOUCH_SEND || t->side != s->sender || !calls_datagram(s->c, t, &what))
            continue;
        found = find_before(s, next, call->end_high_ns, &what);
        if (found == s->sent_count)
            continue;
        next = found + 1;
        if (packet_of(s, s->sent[found])->time_ns < call->begin_ns - s->c->wire.unit_ns + 1)
            s->c->violations += touch_socket(s->c, t)->from_start;
        else
            calls_sent(s->c, t, s->sent[found]);
    }
}

/* ---- Received ---- */

/* How many datagrams have arrived at this time. */
static size_t arrived_until(const struct udp_side_calls *s, int64_t ns)
{
    size_t low = 0, high = s->arrived_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (packet_of(s, s->arrived[middle])->arrival_ns <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes the first of equal datagrams that are there when the call ends; one that comes later is
 * told all the same: that is a violation. Returns arrived_count if there is none at all. */
static size_t take_arrived(struct udp_side_calls *s, const struct datagram_sought *what,
                           int64_t ns, bool peek, bool cut)
{
    size_t until = arrived_until(s, ns);
    size_t i = until > LOOKED_THROUGH ? until - LOOKED_THROUGH : 0;

    for (; i < s->arrived_count && i < until + LOOKED_THROUGH; i++) {
        const struct wire_packet *p = packet_of(s, s->arrived[i]);

        if (s->taken[i] < p->copies && calls_is_datagram(p, what, cut)) {
            s->taken[i] = (uint16_t)(s->taken[i] + !peek);
            return i;
        }
    }
    return s->arrived_count;
}

static void note_cut(struct udp_side_calls *s, uint32_t touch, int64_t bytes)
{
    s->c->touch_notes[touch] = calls_text(s->c, "%" PRId64 " byte%s cut", bytes,
                                          bytes == 1 ? " was" : "s were");
}

static void find_received(struct udp_side_calls *s, const uint32_t *touches, size_t count)
{
    const struct touch *wait = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &s->c->replay.touches[touches[i]];
        const struct traced_call *call = touch_call(s->c, t);
        struct datagram_sought what;
        size_t found;
        bool peek;

        if (t->side == s->sender)
            continue;
        if (t->kind == TOUCH_WAIT && (t->ready & READY_READ))
            wait = t;
        if (t->kind != TOUCH_RECEIVE || !calls_datagram(s->c, t, &what))
            continue;
        peek = span_contains(call_arguments(call), "MSG_PEEK");
        found = take_arrived(s, &what, call->end_high_ns, peek, false);
        if (found == s->arrived_count && what.cut) {
            found = take_arrived(s, &what, call->end_high_ns, peek, true);
            if (found < s->arrived_count)
                note_cut(s, touches[i], packet_of(s, s->arrived[found])->length - what.length);
        }
        if (found == s->arrived_count)
            continue; /* older than the trace */
        calls_after(s->c, t, s->arrived[found], true);
        if (wait != NULL)
            calls_after(s->c, wait, s->arrived[found], true);
        wait = NULL;
    }
}

/* A port that nobody has is told of by ICMP, and then by the next call. */
static void find_refused(const struct udp_side_calls *s, const uint32_t *touches, size_t count)
{
    size_t packet = wire_find(&s->c->wire, s->flow->unreachable.packet);

    if (packet == s->c->wire.count)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct touch *t = &s->c->replay.touches[touches[i]];

        if (t->side == s->sender && call_failed(touch_call(s->c, t), "ECONNREFUSED"))
            calls_after(s->c, t, packet, true);
    }
}

/* ---- A flow ---- */

static void list_datagrams(struct udp_side_calls *s)
{
    size_t count;
    const uint32_t *packets = wire_of_flow(&s->c->wire, s->flow->id, &count);

    s->sent = need(malloc((count + 1) * sizeof *s->sent));
    s->arrived = need(malloc((count + 1) * sizeof *s->arrived));
    s->taken = need(calloc(count + 1, sizeof *s->taken));
    s->sent_count = s->arrived_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct wire_packet *p = packet_of(s, packets[i]);

        if (p->side != s->sender || (p->marks & MARK_UNREACHABLE))
            continue;
        s->sent[s->sent_count++] = packets[i];
        if (p->arrival_ns != INT64_MAX)
            s->arrived[s->arrived_count++] = packets[i];
    }
    wire_sort_arrivals(&s->c->wire, s->arrived, s->arrived_count);
}

void calls_cause_udp(struct calls *c, const struct flow *flow, const uint32_t *touches,
                     size_t count)
{
    struct udp_side_calls s = {.c = c, .flow = flow};

    for (s.sender = 0; s.sender < 2; s.sender++) {
        list_datagrams(&s);
        find_sent(&s, touches, count);
        find_received(&s, touches, count);
        find_refused(&s, touches, count);
        free(s.sent);
        free(s.arrived);
        free(s.taken);
    }
}
