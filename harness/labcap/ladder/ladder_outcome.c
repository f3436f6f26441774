/* ladder_outcome.c - the closing sentences of a ladder. See ladder_say.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder_say.h"

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *side_name(const struct flow *flow, unsigned side)
{
    return side == flow_client(flow) ? "client" : "server";
}

static void say_beginning(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;
    unsigned server = c->client ^ 1u;

    if (!c->client_known)
        say(g, "The beginning was not recorded: which side is the client is a guess. ");
    else if (c->refused)
        say(g,
            "The server refused the connection: its reset answers the SYN, as a host does "
            "where no program listens on the port. ");
    else if (c->complete)
        return;
    else if (tcp_unrecorded(c, c->client) || tcp_unrecorded(c, server))
        say(g, "Nothing that the %s sent was recorded. ",
            side_name(flow, tcp_unrecorded(c, server) ? server : c->client));
    else if (c->syn == 0)
        say(g, "The SYN was not recorded. ");
    else if (c->syn_ack != 0 || c->side[server].plain_syn)
        say(g, "The handshake was never completed. ");
    else if (c->side[0].has_acked || c->side[1].has_acked)
        say(g, "The answer to the SYN was not recorded. ");
    else if (c->side[server].sent_past_syn)
        say(g, "The answer does not acknowledge the SYN, but something of an older connection. ");
    else
        say(g, "The SYN was never answered. ");
}

/* A close with both FINs, each acknowledged. */
static void say_fins(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;
    unsigned segments = tcp_teardown_segments(c);

    if (tcp_simultaneous_close(c)) {
        say(g, "Both sides closed at the same time: neither FIN acknowledges the other. ");
        return;
    }
    text_add(g, "The ");
    text_add(g, side_name(flow, c->first_fin));
    text_add(g, " closed first; each FIN was acknowledged");
    if (segments > 0)
        text_add(g, segments == 3 ? ", in 3 segments" : ", in 4 segments");
    text_add(g, ". ");
}

/* Which side closed first by what had been recorded when the reset was. */
static void say_reset(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;
    unsigned first = c->first_fin;
    const struct tcp_side *s = &c->side[first], *other = &c->side[first ^ 1];
    bool closed = s->fin_seen && s->fin_packet < c->reset;
    bool other_closed = other->fin_seen && other->fin_packet < c->reset;

    if (closed && other_closed && tcp_simultaneous_close(c))
        say(g, "Both sides closed at the same time, but then the ");
    else if (closed || other_closed)
        say(g, "The %s closed first, but then the ", side_name(flow, closed ? first : first ^ 1u));
    else
        say(g, "The ");
    say(g, "%s reset the connection (packet %" PRIu64 ")", side_name(flow, c->reset_by), c->reset);
    if (s->fin_seen && !closed && !other_closed)
        say(g, ", before the %s's FIN (packet %" PRIu64 ") was recorded", side_name(flow, first),
            s->fin_packet);
    say(g, ". ");
}

/* Not both FINs acknowledged; both may be there. */
static void say_half_closed(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;
    const char *first = side_name(flow, c->first_fin);
    const char *second = side_name(flow, c->first_fin ^ 1u);

    if (tcp_unrecorded(c, c->first_fin ^ 1u))
        say(g, "The %s closed its direction. ", first);
    else if (!c->side[0].fin_seen || !c->side[1].fin_seen)
        say(g, "The %s closed its direction, the %s never did. ", first, second);
    else if (!tcp_simultaneous_close(c))
        say(g, "The %s closed first; the last FIN was never acknowledged. ", first);
    else if (c->side[0].fin_ack_packet == c->side[1].fin_ack_packet) /* 0 both */
        say(g, "Both sides closed at the same time; neither FIN was ever acknowledged. ");
    else
        say(g, "Both sides closed at the same time; the %s's FIN was never acknowledged. ",
            c->side[c->first_fin].fin_ack_packet == 0 ? first : second);
}

static void say_end(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;

    switch (tcp_teardown_kind(c)) {
    case TEARDOWN_FIN:
        say_fins(flow, g);
        break;
    case TEARDOWN_RESET:
        if (!c->refused)
            say_reset(flow, g);
        break;
    case TEARDOWN_HALF_CLOSED:
        say_half_closed(flow, g);
        break;
    case TEARDOWN_OPEN:
        if (c->complete || !c->client_known)
            say(g, "No side had closed when the trace ended. ");
        break;
    }
}

static void say_bytes(const struct flow *flow, struct growing *g)
{
    static const char *const direction[] = {"to the server", "to the client"};
    unsigned client = flow_client(flow);

    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_side *side = &flow->tcp.side[client ^ i];

        if (i > 0)
            text_add(g, ", ");
        text_add_number(g, (int64_t)side->bytes);
        text_add(g, side->bytes == 1 ? " byte " : " bytes ");
        text_add(g, direction[i]);
        if (tcp_rare(side)->missing_bytes > 0)
            say(g, " (and %" PRIu64 " not recorded)", tcp_rare(side)->missing_bytes);
    }
    text_add(g, ".");
}

/* Only the host that a packet reached knows of its protocols and ports (RFC 1122, section
 * 3.2.2.1; RFC 4443, section 3.1). */
static bool from_the_host(const struct flow *flow)
{
    enum { PROTOCOL = 2, PORT = 3, PORT_V6 = 4 };
    unsigned code = flow->unreachable.code;

    return flow->ip_version == 4 ? code == PROTOCOL || code == PORT : code == PORT_V6;
}

static void tell_udp(const struct flow *flow, struct growing *g)
{
    static const char *const direction[] = {"to the server", "to the client"};

    for (unsigned i = 0; i < 2; i++)
        say(g, "%s%" PRIu64 " datagram%s with %" PRIu64 " byte%s %s", i > 0 ? ", " : "",
            flow->udp[i].datagrams, plural(flow->udp[i].datagrams), flow->udp[i].bytes,
            plural(flow->udp[i].bytes), direction[i]);
    say(g, ".");
    if (flow->unreachable.packet == 0)
        return;
    if (from_the_host(flow))
        say(g, " The %s's host answered that", side_name(flow, flow->unreachable.side ^ 1u));
    else
        say(g, " An ICMP message told that");
    say(g, " it could not be delivered (packet %" PRIu64 ").", flow->unreachable.packet);
}

void tell_outcome(const struct flow *flow, struct growing *g)
{
    if (flow->protocol == IP_TCP) {
        say_beginning(flow, g);
        say_end(flow, g);
        say_bytes(flow, g);
    } else {
        tell_udp(flow, g);
    }
}
