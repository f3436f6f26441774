/* ladder_ordinary.c - see ladder_ordinary.h. */
#include "ladder_ordinary.h"

#include <string.h>

enum { SHOWN_MAX = 40 }; /* rows with the same mark in a flow */

/* ---- Segments ---- */

/* No step of handshake or teardown, no new state: those are few in any connection. */
static inline bool changes_nothing(struct strand *strand, const struct segment_record *s)
{
    bool same = memcmp(s->state, strand->state, sizeof s->state) == 0;

    memcpy(strand->state, s->state, sizeof s->state);
    return same && !s->handshake && !s->teardown && s->packet != strand->flow->first_packet;
}

static inline void mark_more(struct segment_record *s, uint64_t points_from)
{
    bool fate = s->packet > points_from && s->fate_told;

    if (fate && s->arrivals == 0)
        s->marks |= MARK_LOST;
    else if ((fate && !fate_is_ordinary(s)) ||
             ((s->flags & (TCP_SYN | TCP_FIN | TCP_URG)) && s->marks == 0))
        s->marks |= MARK_OTHER;
}

static bool segment_is_ordinary(struct strand *strand, struct segment_record *s,
                                uint64_t points_from)
{
    bool ordinary = changes_nothing(strand, s);

    mark_more(s, points_from);
    for (unsigned marks = s->marks; marks != 0; marks &= marks - 1) {
        uint8_t *shown = &strand->shown[__builtin_ctz(marks)];

        if (*shown < SHOWN_MAX) {
            ++*shown;
            ordinary = false;
        }
    }
    return ordinary;
}

/* ---- Calls ---- */

static bool is_among(const char *name, const char *const names[])
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool has_failed(const struct call_row *call)
{
    return call->result != NULL && strncmp(call->result, "= -1", 4) == 0 &&
           strstr(call->result, "EAGAIN") == NULL;
}

/* Sending, receiving and waiting for it. The end of what is to be received is remarkable. */
static bool call_is_ordinary(const struct call_row *call)
{
    static const char *const receives[] = {"read",    "readv",    "recv", "recvfrom",
                                           "recvmsg", "recvmmsg", NULL};
    static const char *const others[] = {
        "write",      "writev",      "send",       "sendto", "sendmsg", "sendmmsg", "poll",
        "ppoll",      "select",      "pselect6",   "fcntl",  "epoll_wait", "epoll_pwait",
        "epoll_ctl",  "setsockopt",  "getsockopt", "pread64", "sendfile", "splice", NULL};

    if (*call->note != '\0' || has_failed(call))
        return false;
    if (is_among(call->name, receives))
        return call->result == NULL || strcmp(call->result, "= 0") != 0;
    return is_among(call->name, others);
}

bool row_is_ordinary(struct row *row, uint64_t points_from, bool merged)
{
    if (row->kind == ROW_SEGMENT) {
        bool ordinary = segment_is_ordinary(row->strand, &row->segment, points_from);
        bool first = ordinary && !row->strand->data_begun;

        row->strand->data_begun |= ordinary;
        return ordinary && !(first && merged);
    }
    return row->kind == ROW_OTHER || call_is_ordinary(row->call);
}
