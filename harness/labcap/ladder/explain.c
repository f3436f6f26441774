/* explain.c - see explain.h.
 *
 * What is said of a packet follows from what was recorded up to it, and where a sentence tells
 * why, from what its sender can know. */
#include "explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A packet and the sentence about it. */
struct telling {
    const struct flow *flow;
    const struct segment_record *s;
    const char *sender, *receiver; /* "client", "server" */
    char *text;
    size_t size;
    bool begun; /* there is a clause behind the label */
};

/* ---- Words ---- */

__attribute__((format(printf, 2, 3)))
static void add(struct telling *t, const char *format, ...)
{
    size_t used = strlen(t->text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(t->text + used, t->size - used, format, arguments);
    va_end(arguments);
}

/* Begins the next part of the sentence. */
static void clause(struct telling *t)
{
    if (t->begun)
        add(t, "; ");
    t->begun = true;
}

#define CLAUSE(t, ...) (clause(t), add(t, __VA_ARGS__))

/* A position in the stream of `side`, as it stands on the wire. */
static uint32_t number(const struct telling *t, unsigned side, int64_t position)
{
    return t->flow->tcp.side[side].isn + (uint32_t)position;
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static bool simultaneous_open(const struct telling *t)
{
    return t->flow->tcp.side[0].plain_syn && t->flow->tcp.side[1].plain_syn;
}

/* The side's FIN was recorded before this packet. */
static bool had_closed(const struct telling *t, unsigned side)
{
    const struct tcp_side *s = &t->flow->tcp.side[side];

    return s->fin_seen && s->fin_packet < t->s->packet;
}

/* ---- Handshake ---- */

static void tell_syn_ack(struct telling *t)
{
    const struct segment_record *s = t->s;
    unsigned peer = s->side ^ 1u;
    bool valid = s->handshake == 3 ||
                 (t->flow->tcp.syn_ack_valid && s->packet == t->flow->tcp.syn_ack);

    if (!valid)
        CLAUSE(t, "the %s answers, but what it acknowledges is not this %s's SYN", t->sender,
               t->receiver);
    else if (simultaneous_open(t))
        CLAUSE(t, "the %s agrees to the %s's SYN, and repeats its own", t->sender, t->receiver);
    else
        CLAUSE(t, "the %s agrees; it waits for byte number %" PRIu32
               ", and its own first byte will be number %" PRIu32,
               t->sender, number(t, peer, s->ack), number(t, s->side, s->seq + 1));
    if (valid && s->ack > 1)
        CLAUSE(t, "it has the data of the SYN already");
}

static void tell_handshake_ack(struct telling *t)
{
    const struct segment_record *s = t->s;

    CLAUSE(t, "the %s confirms; when this arrives, both sides are connected", t->sender);
    if (s->payload_len > 0)
        CLAUSE(t, "the first %" PRIu32 " byte%s of data come%s with it", s->payload_len,
               plural(s->payload_len), s->payload_len == 1 ? "s" : "");
    if (s->flags & TCP_FIN)
        CLAUSE(t, "the %s closes its direction at once", t->sender);
}

/* A SYN that is no step of the handshake. */
static void tell_other_syn(struct telling *t)
{
    const struct segment_record *s = t->s;

    if ((s->marks & MARK_RETRANSMISSION) && !(s->flags & TCP_ACK))
        CLAUSE(t, "the %s asks once more: no answer has reached it", t->sender);
    else if (s->marks & MARK_RETRANSMISSION)
        CLAUSE(t, "the %s agrees once more: for its side the handshake is not complete",
               t->sender);
    else if (!(s->flags & TCP_ACK) && simultaneous_open(t))
        CLAUSE(t, "the %s asks to connect, too, before it has an answer to any SYN (simultaneous "
               "open); its first byte will be number %" PRIu32,
               t->sender, number(t, s->side, s->seq + 1));
}

static void tell_opening(struct telling *t)
{
    const struct segment_record *s = t->s;

    if (s->handshake == 2 || (s->handshake == 3 && (s->flags & TCP_SYN))) {
        tell_syn_ack(t);
        return;
    }
    if (s->handshake == 3) {
        tell_handshake_ack(t);
        return;
    }
    if (s->handshake == 1)
        CLAUSE(t, "the %s asks to connect; its first byte will be number %" PRIu32, t->sender,
               number(t, s->side, s->seq + 1));
    else
        tell_other_syn(t);
    if (t->begun && s->payload_len > 0)
        CLAUSE(t, "%" PRIu32 " byte%s of data come%s with it (TCP Fast Open)", s->payload_len,
               plural(s->payload_len), s->payload_len == 1 ? "s" : "");
}

/* ---- Teardown ---- */

/* "the client closes its direction after byte number 12" */
static void tell_fin(struct telling *t, const char *too)
{
    const struct segment_record *s = t->s;
    int64_t last = s->seq + s->payload_len - ((s->flags & TCP_SYN) ? 0 : 1);

    CLAUSE(t, "the %s closes its direction%s", t->sender, too);
    if (last >= 1)
        add(t, " after byte number %" PRIu32, number(t, s->side, last));
    else if (t->flow->tcp.side[s->side].syn_seen)
        add(t, " without having sent a byte");
}

static void tell_fin_ack(struct telling *t)
{
    const struct segment_record *s = t->s;

    CLAUSE(t, "the %s has everything up to the %s's FIN", t->sender, t->receiver);
    if (!had_closed(t, s->side) && !(s->flags & TCP_FIN))
        CLAUSE(t, "its own direction is still open");
    if (s->payload_len > 0)
        CLAUSE(t, "%" PRIu32 " byte%s of data come%s with it", s->payload_len,
               plural(s->payload_len), s->payload_len == 1 ? "s" : "");
}

/* RFC 9293, section 3.6: the last ACK of both. */
static void tell_end(struct telling *t)
{
    const struct tcp_side *side = t->flow->tcp.side;
    const struct segment_record *s = t->s;
    bool waits[2] = {s->state[0] == TCP_TIME_WAIT, s->state[1] == TCP_TIME_WAIT};

    for (unsigned i = 0; i < 2; i++)
        if (side[i].fin_ack_packet == 0 || side[i].fin_ack_packet > s->packet)
            return;
    CLAUSE(t, "the connection is over");
    if (waits[0] && waits[1])
        add(t, ", both sides wait in TIME-WAIT for what may still come");
    else if (waits[0] || waits[1])
        add(t, ", the %s waits in TIME-WAIT for what may still come",
            waits[s->side] ? t->sender : t->receiver);
}

static void tell_closing(struct telling *t)
{
    const struct segment_record *s = t->s;

    if (s->teardown & STEP_FIRST_FIN) {
        tell_fin(t, "");
        CLAUSE(t, "the other direction stays open");
    }
    if (s->teardown & (STEP_FIRST_FIN_ACK | STEP_SECOND_FIN_ACK))
        tell_fin_ack(t);
    if ((s->teardown & STEP_SECOND_FIN) && tcp_simultaneous_close(&t->flow->tcp)) {
        tell_fin(t, "");
        CLAUSE(t, "it had not seen the other FIN when it sent this (simultaneous close)");
    } else if (s->teardown & STEP_SECOND_FIN) {
        tell_fin(t, ", too,");
    }
    if (s->teardown & (STEP_FIRST_FIN_ACK | STEP_SECOND_FIN_ACK))
        tell_end(t);
}

/* ---- Resets ---- */

static void tell_reset(struct telling *t)
{
    const struct tcp_connection *c = &t->flow->tcp;
    const struct segment_record *s = t->s;

    if (s->marks & MARK_REFUSED)
        CLAUSE(t, "the %s refuses the connection, as a host does where no program listens on the "
               "port", t->sender);
    else if (c->reset == 0)
        CLAUSE(t, "both directions were closed before, nothing is left to reset");
    else if (c->reset != s->packet)
        CLAUSE(t, "the connection is gone already, the %s says so once more", t->sender);
    else if (had_closed(t, s->side))
        CLAUSE(t, "the %s, which had closed its direction, now ends the connection at once: "
               "nobody takes what still comes", t->sender);
    else if (c->ack == 0 || c->ack > s->packet)
        CLAUSE(t, "the %s breaks the connection off before it is established", t->sender);
    else
        CLAUSE(t, "the %s ends the connection at once; what was not delivered yet is lost",
               t->sender);
}

/* ---- Everything else of TCP ---- */

static void tell_again(struct telling *t)
{
    const struct segment_record *s = t->s;
    uint32_t first = number(t, s->side, s->seq);

    if (s->payload_len == 0)
        CLAUSE(t, "the %s sends its FIN once more: no acknowledgement of it has come", t->sender);
    else if (s->payload_len == 1)
        CLAUSE(t, "the %s sends byte %" PRIu32 " once more: no acknowledgement of it has come",
               t->sender, first);
    else
        CLAUSE(t, "the %s sends bytes %" PRIu32 " to %" PRIu32
               " once more: no acknowledgement of them has come",
               t->sender, first, first + s->payload_len - 1);
}

static void tell_data(struct telling *t)
{
    const struct segment_record *s = t->s;

    if (s->marks & MARK_RETRANSMISSION)
        tell_again(t);
    if (s->marks & MARK_PARTLY_NEW)
        CLAUSE(t, "some of its bytes were sent before");
    if (s->marks & MARK_OUT_OF_ORDER)
        CLAUSE(t, "its bytes belong before others that are here already");
    if (s->marks & MARK_DUPLICATE_ACK)
        CLAUSE(t, "the %s still waits for byte number %" PRIu32
               ", though later ones are on their way", t->sender, number(t, s->side ^ 1u, s->ack));
}

static void tell_question(struct telling *t)
{
    uint32_t asks = t->s->marks & (MARK_KEEP_ALIVE | MARK_WINDOW_PROBE);

    if (asks == MARK_KEEP_ALIVE)
        CLAUSE(t, "nothing in it is new, the %s only asks whether the %s is still there "
               "(keep-alive)", t->sender, t->receiver);
    else if (asks == MARK_WINDOW_PROBE)
        CLAUSE(t, "one byte into a closed window: the %s asks whether there is room again "
               "(window probe)", t->sender);
    else if (asks != 0)
        CLAUSE(t, "nothing in it is new, the %s only asks whether there is room again "
               "(window probe)", t->sender);
}

static void tell_window(struct telling *t)
{
    bool answer = t->s->marks & MARK_ANSWER;

    if (t->s->marks & MARK_WINDOW_OPENS)
        CLAUSE(t, "the %s has room again: the %s may go on sending", t->sender, t->receiver);
    else if (!(t->s->marks & MARK_ZERO_WINDOW) && answer)
        CLAUSE(t, "the %s answers: it is still there", t->sender);
    else if ((t->s->marks & MARK_ZERO_WINDOW) && answer)
        CLAUSE(t, "the %s answers: there is still no room (window 0)", t->sender);
    else if ((t->s->marks & MARK_ZERO_WINDOW) && !had_closed(t, t->s->side ^ 1u))
        CLAUSE(t, "the %s has no room for more (window 0): the %s has to wait", t->sender,
               t->receiver);
}

static void tell_tcp(struct telling *t)
{
    const struct segment_record *s = t->s;

    if (s->marks & MARK_RESET) {
        tell_reset(t);
        return;
    }
    if (s->handshake || (s->flags & TCP_SYN)) {
        tell_opening(t);
    } else {
        if (s->teardown)
            tell_closing(t);
        tell_data(t);
        tell_question(t);
    }
    tell_window(t);
}

/* ---- UDP, ICMP ---- */

static void tell_datagram(struct telling *t)
{
    const struct segment_record *s = t->s;

    if (s->packet == t->flow->first_packet)
        CLAUSE(t, "the first datagram between these two ports: UDP has no handshake, and nothing "
               "tells its sender whether it arrives");
    if (s->incomplete)
        CLAUSE(t, "too large for one packet, it travels in fragments, which were not all "
               "recorded%s", s->so_far ? " so far" : "");
    if (s->fragments > 1)
        CLAUSE(t, "too large for one packet, it travels in %" PRIu32 " fragments", s->fragments);
}

/* The sender is the end that was not reached, or a router before it. */
static void tell_unreachable(struct telling *t)
{
    const struct segment_record *s = t->s;
    bool port = t->flow->ip_version == 4 ? s->icmp_code == 3 : s->icmp_code == 4;

    if (port)
        CLAUSE(t, "at the %s's host no program has port %u, so that the %s's packet was thrown "
               "away", t->sender, t->flow->end[s->side].port, t->receiver);
    else
        CLAUSE(t, "the %s's packet could not be delivered", t->receiver);
}

void explain(const struct flow *flow, const struct segment_record *s, const char *label,
             char *text, size_t size)
{
    bool by_client = s->side == flow_client(flow);
    struct telling t = {.flow = flow,
                        .s = s,
                        .sender = by_client ? "client" : "server",
                        .receiver = by_client ? "server" : "client",
                        .text = text,
                        .size = size};

    *text = '\0';
    if (s->marks & MARK_DUPLICATE)
        return;
    if (*label != '\0')
        add(&t, "%s: ", label);
    if (s->marks & MARK_UNREACHABLE)
        tell_unreachable(&t);
    else if (flow->protocol == IP_TCP)
        tell_tcp(&t);
    else
        tell_datagram(&t);
    if (!t.begun)
        *text = '\0';
}

void explain_fate(const struct segment_record *s, const char *label, char *text, size_t size)
{
    struct telling t = {.s = s, .text = text, .size = size, .begun = *text != '\0'};

    if (!s->fate_told || (s->arrivals == 1 && !s->damaged && s->after == 0))
        return;
    if (!t.begun && *label != '\0')
        add(&t, "%s: ", label);
    if (s->arrivals == 0)
        CLAUSE(&t, "it is lost on its way");
    else if (s->arrivals == 2)
        CLAUSE(&t, "it arrives twice");
    else if (s->arrivals > 2)
        CLAUSE(&t, "it arrives %" PRIu32 " times", s->arrivals);
    if (s->damaged)
        CLAUSE(&t, "it arrives damaged");
    if (s->after != 0)
        CLAUSE(&t, "it arrives after packet %" PRIu64 ", which was sent later", s->after);
}
