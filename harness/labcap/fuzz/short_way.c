/* short_way.c - see short_way.h. */
#include "short_way.h"

#include "tcp_internal.h"

/* The names are those of ld's --wrap. */
bool __real_tcp_take_steady(struct tcp_connection *c, unsigned side, const struct packet *p,
                            struct tcp_note *note);
bool __wrap_tcp_take_steady(struct tcp_connection *c, unsigned side, const struct packet *p,
                            struct tcp_note *note);

static bool closed;

void short_way_open(bool open)
{
    closed = !open;
}

bool __wrap_tcp_take_steady(struct tcp_connection *c, unsigned side, const struct packet *p,
                            struct tcp_note *note)
{
    return !closed && __real_tcp_take_steady(c, side, p, note);
}
