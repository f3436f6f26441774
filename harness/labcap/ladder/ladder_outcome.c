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

    if (!c->client_known)
        say(g, "The beginning was not recorded: which side is the client is a guess. ");
    else if (c->refused)
        say(g,
            "The server refused the connection: its reset answers the SYN, as a host does "
            "where no program listens on the port. ");
    else if (c->syn_ack == 0)
        say(g, "The SYN was never answered. ");
    else if (!c->complete)
        say(g, "The handshake was never completed. ");
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

static void say_end(const struct flow *flow, struct growing *g)
{
    const struct tcp_connection *c = &flow->tcp;

    switch (tcp_teardown_kind(c)) {
    case TEARDOWN_FIN:
        say_fins(flow, g);
        break;
    case TEARDOWN_RESET:
        if (c->refused)
            break;
        if (c->side[0].fin_seen || c->side[1].fin_seen)
            say(g, "The %s closed first, but then the ", side_name(flow, c->first_fin));
        else
            say(g, "The ");
        say(g, "%s reset the connection (packet %" PRIu64 "). ",
            side_name(flow, c->reset_by), c->reset);
        break;
    case TEARDOWN_HALF_CLOSED:
        /* Both FINs may be there and the last ACK not. */
        if (c->side[0].fin_seen && c->side[1].fin_seen)
            say(g, "The %s closed first; the last FIN was never acknowledged. ",
                side_name(flow, c->first_fin));
        else
            say(g, "The %s closed its direction, the %s never did. ",
                side_name(flow, c->first_fin), side_name(flow, c->first_fin ^ 1u));
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

static void tell_udp(const struct flow *flow, struct growing *g)
{
    static const char *const direction[] = {"to the server", "to the client"};

    for (unsigned i = 0; i < 2; i++)
        say(g, "%s%" PRIu64 " datagram%s with %" PRIu64 " byte%s %s", i > 0 ? ", " : "",
            flow->udp[i].datagrams, plural(flow->udp[i].datagrams), flow->udp[i].bytes,
            plural(flow->udp[i].bytes), direction[i]);
    say(g, ".");
    if (flow->unreachable.packet != 0)
        say(g, " The %s's host answered that it could not be delivered "
            "(packet %" PRIu64 ").", side_name(flow, flow->unreachable.side ^ 1u),
            flow->unreachable.packet);
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
